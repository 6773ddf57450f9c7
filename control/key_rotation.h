/*
 * POST /v1/tenants/{id}/rotate-key: replaces a key by a new one; the old one stays valid for a while. Worker
 * threads.
 */
#ifndef CONTROL_KEY_ROTATION_H
#define CONTROL_KEY_ROTATION_H

#include "control/request.h"

request_handler key_rotate;

#endif
