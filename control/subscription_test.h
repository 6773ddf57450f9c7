/* POST /v1/subscriptions/test: whether a pattern and a filter match an event. Nothing is stored or sent. */
#ifndef CONTROL_SUBSCRIPTION_TEST_H
#define CONTROL_SUBSCRIPTION_TEST_H

#include "control/request.h"

request_handler subscription_test;

#endif
