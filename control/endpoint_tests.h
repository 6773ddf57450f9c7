/*
 * POST /v1/endpoints/{id}/test: one attempt, whatever the endpoint's state, with its result in the reply. A courier
 * makes it (courier/tests.h) as the test's row says (store/webhooks/test_rows.h). Worker threads.
 */
#ifndef CONTROL_ENDPOINT_TESTS_H
#define CONTROL_ENDPOINT_TESTS_H

#include "control/request.h"

/* The default topic of a test. */
#define TEST_TOPIC "hookline.test"

/* Adds the row, and leaves the reply open until the test ends: see control/test_waits.h. */
request_handler endpoint_test;

#endif
