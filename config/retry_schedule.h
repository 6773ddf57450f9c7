/*
 * An endpoint's waits after failed attempts, as HL_RETRY_SCHEDULE writes them ("5s,30s,5m") or as a JSON list of waits
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

/* Reads one wait with its unit: ms, s, m or h. false: it is none, or out of range. */
bool retry_wait_read(struct span text, uint32_t *ms);

/*
 * Whether text is a list of 1 to RETRY_WAITS_MAX waits with commas between, blanks around them allowed. 0, or <0 with a
 * sentence that begins with what is wrong. Pure; any process.
 */
int retry_schedule_check(struct span text, struct error *err);

/* Reads such a list, which passed retry_schedule_check(), into ms. Returns the number of waits. Pure; any process. */
uint32_t retry_schedule_read(struct span text, uint32_t ms[RETRY_WAITS_MAX]);

/* How long a job of such waits may wait in all before it is given up, in ms: 1.5 times their sum, at least 24 hours. */
int64_t retry_lifetime_ms(const uint32_t *ms, uint32_t count);

#endif
