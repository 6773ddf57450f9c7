/* POST /v1/tenants: a tenant and its first key. Worker threads. */
#ifndef CONTROL_TENANT_CREATION_H
#define CONTROL_TENANT_CREATION_H

#include "control/request.h"

request_handler tenant_create;

#endif
