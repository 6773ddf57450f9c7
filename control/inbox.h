/*
 * The development receiver (HL_DEV_INBOX): a URL that takes whatever is posted to it, and shows it to the tenant that
 * made it. Worker threads.
 */
#ifndef CONTROL_INBOX_H
#define CONTROL_INBOX_H

#include "control/request.h"

request_handler inbox_create;
request_handler inbox_list;
request_handler inbox_get;

/* No key. The body is the headers of the request as a JSON object, a line feed, and the body that was sent. */
request_handler inbox_receive;

#endif
