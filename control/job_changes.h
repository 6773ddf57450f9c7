/* People step in: a job is made due or cancelled, all jobs of an endpoint are made due. Worker threads. */
#ifndef CONTROL_JOB_CHANGES_H
#define CONTROL_JOB_CHANGES_H

#include "control/request.h"

request_handler job_make_due;
request_handler job_delete;
request_handler endpoint_make_due;

#endif
