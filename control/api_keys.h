/* The routes /v1/apikeys and /v1/tenants/{id}/api-keys: make, show, change and revoke keys. Worker threads. */
#ifndef CONTROL_API_KEYS_H
#define CONTROL_API_KEYS_H

#include "control/request.h"

request_handler key_create; /* for the caller's tenant, or the one named in path, body or query */
request_handler key_list; /* likewise */
request_handler key_get;
request_handler key_update;
request_handler key_revoke; /* of the tenant in the path, or of any */

#endif
