/*
 * The routes /v1/endpoints. A reply shows an endpoint without its secret and its headers' values: a secret is shown
 * once, by the reply to the request that had it made. Worker threads.
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

#endif
