/* The routes /v1/apikeys and /v1/tenants/{id}/api-keys: keys are made, shown, changed, revoked. Worker threads. */
#ifndef CONTROL_API_KEYS_H
#define CONTROL_API_KEYS_H

#include "control/request.h"

request_handler key_create; /* of the caller's tenant, or of the one that the path, the body or the query names */
request_handler key_list; /* likewise */
request_handler key_get;
request_handler key_update;
request_handler key_revoke; /* of the tenant that the path names, or of any */

#endif
