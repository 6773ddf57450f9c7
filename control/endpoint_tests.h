/*
 * POST /v1/endpoints/{id}/test: one attempt, whatever state the endpoint is in, with its result in the reply. A courier
 * makes it (courier/tests.h); the row of the test says of what (store/webhooks/test_rows.h). Worker threads.
 */
#ifndef CONTROL_ENDPOINT_TESTS_H
#define CONTROL_ENDPOINT_TESTS_H

#include "control/request.h"

/* The topic of a test whose request names none. */
#define TEST_TOPIC "hookline.test"

/* Adds the row. The reply is left open, and says what it waits for: see control/test_waits.h. */
request_handler endpoint_test;

#endif
