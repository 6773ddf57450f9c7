/*
 * The routes /v1/endpoints. A reply shows an endpoint without its secret and its headers' values; a generated secret is
 * shown once, in the reply to the request that generated it. Worker threads.
 */
#ifndef CONTROL_ENDPOINTS_H
#define CONTROL_ENDPOINTS_H

#include "control/request.h"

request_handler endpoint_create;
request_handler endpoint_list;
request_handler endpoint_get;
request_handler endpoint_update;
request_handler endpoint_delete;
request_handler endpoint_rotate_secret;

/*
 * In the transaction of a change: makes the endpoint described by the document, sets id, and answers as a POST of it.
 * Returns as db_query().
 */
int endpoint_add(const struct request *request, struct span document, char id[OBJECT_ID_BYTES], struct reply *reply,
    struct error *err);

#endif
