/* The routes /v1/jobs: show waiting jobs, and why they wait. Worker threads. */
#ifndef CONTROL_JOBS_H
#define CONTROL_JOBS_H

#include "control/request.h"

request_handler job_list;
request_handler job_get;

struct db_rows;

/* The job as replies show it, from a row of store/webhooks/job_lists.h. The caller frees it. */
cJSON *job_show(const struct request *request, const struct db_rows *rows, uint32_t row);

/* Answers 404: no job with that id waits. */
void job_answer_unknown(struct reply *reply);

#endif
