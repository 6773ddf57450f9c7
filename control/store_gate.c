/* One lock around a few words. */
#include "control/store_gate.h"

#include <time.h>

#include "base/clock.h"
#include "base/log.h"

void
store_gate_init(struct store_gate *gate, struct store_report *report)
{
	pthread_condattr_t steady;

	*gate = (struct store_gate){.report = report, .backoff = {.first_ms = 100, .cap_ms = 5000}};
	(void)pthread_mutex_init(&gate->lock, NULL);
	(void)pthread_condattr_init(&steady);
	(void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&gate->known, &steady);
	(void)pthread_condattr_destroy(&steady);
	if (store_report_state(report) != STORE_CONNECTING)
		store_report_set_state(report, STORE_UNAVAILABLE);
}

enum store_gate_way
store_gate_ask(struct store_gate *gate, int64_t until_us)
{
	const struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
	enum store_gate_way way = STORE_GATE_SHUT;
	int rc = 0;

	pthread_mutex_lock(&gate->lock);
	while (gate->being_tried && !gate->tried && rc == 0)
		rc = pthread_cond_timedwait(&gate->known, &gate->lock, &until);
	if (gate->works) {
		way = STORE_GATE_OPEN;
	} else if (!gate->being_tried && clock_steady_us() >= gate->try_at_us) {
		gate->being_tried = true;
		way = STORE_GATE_TRY;
	}
	pthread_mutex_unlock(&gate->lock);
	return way;
}

/* Marks the state as known. The caller holds the lock. */
static void
set_known(struct store_gate *gate)
{
	gate->being_tried = false;
	gate->tried = true;
	(void)pthread_cond_broadcast(&gate->known);
}

void
store_gate_worked(struct store_gate *gate)
{
	bool was_away;

	pthread_mutex_lock(&gate->lock);
	was_away = !gate->works;
	gate->works = true;
	gate->connections++;
	set_known(gate);
	gate->failures = (struct repeat){0};
	backoff_reset(&gate->backoff);
	if (was_away) {
		store_report_set_error(gate->report, "");
		store_report_set_state(gate->report, STORE_READY);
	}
	pthread_mutex_unlock(&gate->lock);
	if (was_away)
		log_info("the webhooks' store is reached");
}

void
store_gate_failed(struct store_gate *gate, const struct error *err)
{
	int64_t now = clock_steady_us();
	uint64_t times;

	pthread_mutex_lock(&gate->lock);
	/* If the store has just worked, try it at once: perhaps only the connection was lost. */
	gate->try_at_us = gate->works ? now : now + (int64_t)backoff_next_ms(&gate->backoff) * 1000;
	gate->works = false;
	set_known(gate);
	store_report_set_error(gate->report, err->text);
	if (store_report_state(gate->report) != STORE_CONNECTING)
		store_report_set_state(gate->report, STORE_UNAVAILABLE);
	times = repeat_met(&gate->failures, now);
	pthread_mutex_unlock(&gate->lock);
	if (times > 0)
		log_warning(
		    "the webhooks' store is unavailable", LOG_STR("error", err->text), LOG_UINT("times", times));
}

void
store_gate_closed(struct store_gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->connections--;
	pthread_mutex_unlock(&gate->lock);
}

bool
store_gate_refused(struct store_gate *gate, const struct error *err)
{
	uint64_t times = 0;
	bool others;

	pthread_mutex_lock(&gate->lock);
	others = gate->works && gate->connections > 0;
	if (others)
		times = repeat_met(&gate->refusals, clock_steady_us());
	pthread_mutex_unlock(&gate->lock);
	if (times > 0)
		log_warning("the webhooks' store takes fewer connections than there are workers",
		    LOG_STR("error", err->text), LOG_UINT("times", times));
	if (!others)
		store_gate_failed(gate, err);
	return others;
}

int64_t
store_gate_try_at(struct store_gate *gate)
{
	int64_t at;

	pthread_mutex_lock(&gate->lock);
	at = gate->works || gate->being_tried ? INT64_MAX : gate->try_at_us;
	pthread_mutex_unlock(&gate->lock);
	return at;
}
