/* POST /v1/tenants/{id}/rotate-key: a new key in the place of an old one, which stays valid for a while. Workers. */
#ifndef CONTROL_KEY_ROTATION_H
#define CONTROL_KEY_ROTATION_H

#include "control/request.h"

request_handler key_rotate;

#endif
