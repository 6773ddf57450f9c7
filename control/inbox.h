/*
 * The development receiver (HL_DEV_INBOX): a URL that accepts every request, and shows the requests to the tenant that
 * made the receiver. Worker threads.
 */
#ifndef CONTROL_INBOX_H
#define CONTROL_INBOX_H

#include "control/request.h"

request_handler inbox_create;
request_handler inbox_list;
request_handler inbox_get;

/* Needs no key. The request's body is the original headers as a JSON object, a line feed, and the original body. */
request_handler inbox_receive;

#endif
