/* Only CLOSED counts attempts; `successes` counts probes. */
#include "courier/breaker.h"

#include <assert.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define FAILURES_LEAST 10u
#define FAILURES_PERCENT 70u
#define REFUSALS_LEAST 3u
#define SUCCESSES_LEAST 3u
#define PROBE_INTERVAL_LEAST_US (5 * SECOND_US)
#define PROBE_INTERVAL_MOST_US (5 * 60 * SECOND_US)

static const char *const words[] = {
    [BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open", [BREAKER_HALF_OPEN] = "half_open"};

const char *
breaker_word(enum breaker_state state)
{
	return words[state];
}

enum breaker_state
breaker_of_word(struct span word)
{
	for (unsigned state = 0; state < sizeof words / sizeof *words; state++)
		if (word.len == strlen(words[state]) && memcmp(word.base, words[state], word.len) == 0)
			return (enum breaker_state)state;
	return BREAKER_OPEN;
}

/* The only function that changes the state. */
static void
change_state(struct breaker *breaker, enum breaker_state state)
{
	breaker->state = state;
	breaker->probing = false;
	if (state == BREAKER_CLOSED) {
		*breaker = (struct breaker){.state = BREAKER_CLOSED};
	} else if (state == BREAKER_OPEN) {
		breaker->successes = 0;
	}
}

/* ---- the last seconds ---- */

/* Makes this second the newest one and clears the seconds that are too old. */
static void
turn_ring(struct breaker *breaker, int64_t now_us)
{
	int64_t second = now_us / SECOND_US;

	if (second - breaker->second >= BREAKER_SECONDS)
		memset(breaker->seconds, 0, sizeof breaker->seconds);
	else
		for (int64_t s = breaker->second + 1; s <= second; s++)
			memset(&breaker->seconds[s % BREAKER_SECONDS], 0, sizeof *breaker->seconds);
	breaker->second = second;
}

static void
count_end(struct breaker *breaker, enum breaker_result result, int64_t now_us)
{
	bool failed = result != BREAKER_SUCCESS;

	turn_ring(breaker, now_us);
	breaker->seconds[breaker->second % BREAKER_SECONDS].ended++;
	breaker->seconds[breaker->second % BREAKER_SECONDS].failed += failed;
	breaker->failures = failed ? breaker->failures + 1 : 0;
	breaker->refusals = result == BREAKER_REFUSED ? breaker->refusals + 1 : 0;
}

static bool
only_fails(const struct breaker *breaker)
{
	uint64_t ended = 0, failed = 0;

	if (breaker->refusals >= REFUSALS_LEAST)
		return true;
	for (uint32_t i = 0; i < BREAKER_SECONDS; i++) {
		ended += breaker->seconds[i].ended;
		failed += breaker->seconds[i].failed;
	}
	return breaker->failures >= FAILURES_LEAST && failed * 100 >= ended * FAILURES_PERCENT;
}

/* ---- attempts ---- */

int64_t
breaker_due_us(const struct breaker *breaker)
{
	switch (breaker->state) {
	case BREAKER_CLOSED:
		break;
	case BREAKER_OPEN:
		return breaker->due_us;
	case BREAKER_HALF_OPEN:
		return breaker->probing ? INT64_MAX : INT64_MIN;
	}
	return INT64_MIN;
}

bool
breaker_begin(struct breaker *breaker)
{
	if (breaker->state == BREAKER_CLOSED)
		return false;
	assert(!breaker->probing);
	if (breaker->state == BREAKER_OPEN)
		change_state(breaker, BREAKER_HALF_OPEN);
	return breaker->probing = true;
}

/* grow: double the distance to the next probe. */
static void
open_for_a_while(struct breaker *breaker, bool grow, int64_t now_us)
{
	if (breaker->probe_interval_us == 0)
		breaker->probe_interval_us = PROBE_INTERVAL_LEAST_US;
	else if (grow && breaker->probe_interval_us < PROBE_INTERVAL_MOST_US / 2)
		breaker->probe_interval_us *= 2;
	else if (grow)
		breaker->probe_interval_us = PROBE_INTERVAL_MOST_US;
	breaker->due_us = now_us + breaker->probe_interval_us;
	change_state(breaker, BREAKER_OPEN);
}

static void
end_probe(struct breaker *breaker, enum breaker_result result, int64_t now_us)
{
	if (result != BREAKER_SUCCESS)
		open_for_a_while(breaker, result != BREAKER_NO_RESULT, now_us);
	else if (++breaker->successes < SUCCESSES_LEAST)
		breaker->probing = false;
	else
		change_state(breaker, BREAKER_CLOSED);
}

void
breaker_end(struct breaker *breaker, bool is_probe, enum breaker_result result, int64_t now_us)
{
	if (is_probe && breaker->probing) { /* otherwise breaker_reset() came in between */
		end_probe(breaker, result, now_us);
	} else if (breaker->state == BREAKER_CLOSED && result != BREAKER_NO_RESULT) {
		count_end(breaker, result, now_us);
		if (only_fails(breaker))
			open_for_a_while(breaker, false, now_us);
	}
}

void
breaker_reset(struct breaker *breaker)
{
	change_state(breaker, BREAKER_CLOSED);
}

void
breaker_resume(struct breaker *breaker)
{
	change_state(breaker, BREAKER_HALF_OPEN);
}
