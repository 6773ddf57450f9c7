/* An endpoint as replies and the audit log show it. Worker threads. */
#ifndef CONTROL_ENDPOINT_REPLY_H
#define CONTROL_ENDPOINT_REPLY_H

#include <cjson/cJSON.h>

#include "control/request.h"
#include "store/webhooks/endpoints.h"

/*
 * Shows all members, with *** for the secret and the headers' values. headers is null if they are encrypted with a
 * master key that the service does not have. endpoint is from a row: its texts are followed by a NUL. The caller owns
 * the tree.
 */
cJSON *endpoint_show(const struct request *request, const struct endpoint *endpoint);

#endif
