/* What waits to be delivered, and why, as /v1/jobs shows it. Worker threads. */
#ifndef CONTROL_JOBS_H
#define CONTROL_JOBS_H

#include "control/request.h"

request_handler job_list;
request_handler job_get;

#endif
