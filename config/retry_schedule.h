/*
 * An endpoint's waits after failed attempts: as HL_RETRY_SCHEDULE has them ("5s,30s,5m"), or as a JSON list of waits
 * ("5s") and whole milliseconds.
 */
#ifndef CONFIG_RETRY_SCHEDULE_H
#define CONFIG_RETRY_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

#define RETRY_WAITS_MAX 100
#define RETRY_WAIT_MS_LEAST 1000
#define RETRY_WAIT_MS_MOST (7 * 24 * 60 * 60 * 1000)

/* Whether a wait, in ms, is in range. */
static inline bool
retry_wait_in_range(uint64_t ms)
{
	return ms >= RETRY_WAIT_MS_LEAST && ms <= RETRY_WAIT_MS_MOST;
}

/* Reads one wait with its unit: ms, s, m or h. False: malformed or out of range. */
bool retry_wait_read(struct span text, uint32_t *ms);

/*
 * Checks for a list of 1 to RETRY_WAITS_MAX waits, separated by commas, perhaps with blanks. Returns 0, or <0 with a
 * predicate: "has more than 100 waits". Pure; any process.
 */
int retry_schedule_check(struct span text, struct error *err);

/* Reads a list that passed retry_schedule_check() into ms. Returns the number of waits. Pure; any process. */
uint32_t retry_schedule_read(struct span text, uint32_t ms[RETRY_WAITS_MAX]);

/*
 * The lifetime of a job with these waits, in ms: 1.5 times their sum, at least 24 hours. After it the job is given up.
 */
int64_t retry_lifetime_ms(const uint32_t *ms, uint32_t count);

#endif
