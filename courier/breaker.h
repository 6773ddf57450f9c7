/*
 * The circuit breaker of one endpoint (docs/deliveries.md, "Circuit breaker"). It opens when attempts only fail. Then
 * one attempt at a time is let through as a probe, at a growing distance, until three in a row have succeeded. Pure:
 * the instant comes from the caller, by the steady clock.
 */
#ifndef COURIER_BREAKER_H
#define COURIER_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* OPEN: no attempt until due_us. HALF_OPEN: a probe is under way, or may begin. */
enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

/* What an attempt says of its endpoint. REFUSED: no connection was accepted, which is a failure also. */
enum breaker_sign { SIGN_NONE, SIGN_SUCCESS, SIGN_FAILURE, SIGN_REFUSED };

#define BREAKER_SECONDS 20u /* that are remembered */

/* All zero is closed, and remembers nothing. */
struct breaker {
	enum breaker_state state;
	bool probing; /* of HALF_OPEN: the probe is under way */
	uint32_t failures, refusals; /* in a row */
	uint32_t successes; /* of probes, in a row */
	int64_t distance_us; /* from the last probe that failed to the next one; 0: none has */
	int64_t due_us; /* of OPEN: when the next probe may begin */
	int64_t second; /* of the newest of these, which are a ring by the second */
	struct {
		uint32_t ended, failed;
	} seconds[BREAKER_SECONDS];
};

/* When an attempt may begin; INT64_MIN: now, INT64_MAX: when the probe that is under way has ended. */
int64_t breaker_due_us(const struct breaker *breaker);

/* An attempt begins, which breaker_due_us() allows. Returns whether it is a probe: breaker_end() must follow. */
bool breaker_begin(struct breaker *breaker);

/*
 * An attempt has ended. is_probe: what breaker_begin() has returned for it. However a probe has ended, the next one may
 * begin after this, at its time. An attempt that began before the breaker opened changes nothing while it is open.
 */
void breaker_end(struct breaker *breaker, bool is_probe, enum breaker_sign sign, int64_t now_us);

/* The endpoint is another one by now. Attempts that are under way are to be told of by nobody. */
void breaker_reset(struct breaker *breaker);

/* It was open when another process knew it: the next attempt is a probe. The breaker is closed. */
void breaker_resume(struct breaker *breaker);

/* Its word in the store and the API; and the other way, where any other word is taken for `open`. */
const char *breaker_word(enum breaker_state state);
enum breaker_state breaker_of_word(struct span word);

#endif
