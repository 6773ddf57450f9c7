/*
 * The circuit breaker of one endpoint (docs/deliveries.md, "Circuit breaker"). It opens when attempts only fail. It
 * then lets one attempt at a time through as a probe, at growing intervals, until three in a row have succeeded. Pure:
 * the caller passes the time, by the steady clock.
 */
#ifndef COURIER_BREAKER_H
#define COURIER_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* OPEN: no attempt until due_us. HALF_OPEN: a probe is under way, or may begin. */
enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

/* What an attempt's result says about its endpoint. REFUSED: no connection was accepted; it counts as a failure too. */
enum breaker_result { BREAKER_NO_RESULT, BREAKER_SUCCESS, BREAKER_FAILURE, BREAKER_REFUSED };

#define BREAKER_SECONDS 20u /* seconds of history */

/* All zero: closed, without history. */
struct breaker {
	enum breaker_state state;
	bool probing; /* of HALF_OPEN: a probe is under way */
	uint32_t failures, refusals; /* in a row */
	uint32_t successes; /* of probes, in a row */
	int64_t probe_interval_us; /* from the last failed probe to the next one; 0: no probe has failed */
	int64_t due_us; /* of OPEN: when the next probe may begin */
	int64_t second; /* the newest second in the ring below */
	struct {
		uint32_t ended, failed;
	} seconds[BREAKER_SECONDS];
};

/* When an attempt may begin; INT64_MIN: now, INT64_MAX: after the probe that is under way. */
int64_t breaker_due_us(const struct breaker *breaker);

/* Begins an attempt that breaker_due_us() allows. Returns whether it is a probe. breaker_end() must follow. */
bool breaker_begin(struct breaker *breaker);

/*
 * Ends an attempt. is_probe: the result of breaker_begin() for it. After a probe, whatever its result, the next probe
 * may begin when it is due. An attempt that began before the breaker opened changes nothing while it is open.
 */
void breaker_end(struct breaker *breaker, bool is_probe, enum breaker_result result, int64_t now_us);

/* Resets the breaker after a change of the endpoint. Do not call breaker_end() for attempts that are under way. */
void breaker_reset(struct breaker *breaker);

/*
 * Takes over from another process that had the breaker open: the next attempt is a probe. This breaker must be
 * closed.
 */
void breaker_resume(struct breaker *breaker);

/* The state's word in the store and the API, and the reverse; an unknown word means `open`. */
const char *breaker_word(enum breaker_state state);
enum breaker_state breaker_of_word(struct span word);

#endif
