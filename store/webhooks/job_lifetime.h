/* How long a job may wait before it is given up. */
#ifndef STORE_WEBHOOKS_JOB_LIFETIME_H
#define STORE_WEBHOOKS_JOB_LIFETIME_H

#include <stdint.h>

#include "base/span.h"
#include "config/config.h"

/*
 * retry_lifetime_ms() of the endpoint's schedule. schedule: endpoints.retry_schedule, JSON; base NULL or unreadable:
 * HL_RETRY_SCHEDULE is used. attempts: endpoints.max_attempts; 0: the whole schedule.
 */
int64_t job_lifetime_ms(const struct config *config, struct span schedule, uint32_t attempts);

#endif
