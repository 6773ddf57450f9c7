/* GET /v1/admin/audit: who changed what. Worker threads. */
#ifndef CONTROL_AUDIT_H
#define CONTROL_AUDIT_H

#include "control/request.h"

request_handler audit_show;

#endif
