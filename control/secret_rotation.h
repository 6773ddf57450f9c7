/* POST /v1/admin/rotate-secrets: re-encrypts stored secrets with the present master key. Worker threads. */
#ifndef CONTROL_SECRET_ROTATION_H
#define CONTROL_SECRET_ROTATION_H

#include "control/request.h"

request_handler secrets_rotate;

#endif
