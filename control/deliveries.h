/* Attempts at delivery, as /v1/deliveries shows them. Worker threads. */
#ifndef CONTROL_DELIVERIES_H
#define CONTROL_DELIVERIES_H

#include "control/request.h"

request_handler delivery_list;
request_handler delivery_get;

#endif
