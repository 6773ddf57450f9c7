/* What waits to be delivered, and why, as /v1/jobs shows it. Worker threads. */
#ifndef CONTROL_JOBS_H
#define CONTROL_JOBS_H

#include "control/request.h"

request_handler job_list;
request_handler job_get;

struct db_rows;

/* The job of a row that store/webhooks/job_lists.h gives, as replies show it. The caller frees it. */
cJSON *job_show(const struct request *request, const struct db_rows *rows, uint32_t row);

/* 404: no job of that id waits. */
void job_answer_unknown(struct reply *reply);

#endif
