/* Makes a job due or cancels it, and makes all jobs of an endpoint due, for people. Worker threads. */
#ifndef CONTROL_JOB_CHANGES_H
#define CONTROL_JOB_CHANGES_H

#include "control/request.h"

request_handler job_make_due;
request_handler job_delete;
request_handler endpoint_make_due;

#endif
