/*
 * Whether the webhooks' store is available. If not, one worker at a time tries to open it, with growing pauses, and all
 * others answer 503 at once. The gate publishes its state in the process's slot. Any thread.
 */
#ifndef CONTROL_STORE_GATE_H
#define CONTROL_STORE_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/error.h"
#include "base/repeat.h"
#include "shm/store_report.h"

/* OPEN: the store works. TRY: the caller must try it. SHUT: the store is unavailable. */
enum store_gate_way { STORE_GATE_OPEN, STORE_GATE_TRY, STORE_GATE_SHUT };

struct store_gate {
	pthread_mutex_t lock;
	struct store_report *report; /* of this process's slot */
	pthread_cond_t known; /* signalled when the first result is known */
	bool works, being_tried;
	bool tried; /* by this process */
	uint32_t connections; /* open connections of workers */
	int64_t try_at_us; /* steady: the next try, while the store is unavailable */
	struct backoff backoff;
	struct repeat failures, refusals;
};

/*
 * Starts as unavailable, to be tried at once. If a predecessor has reached the store since the start it counts as
 * reached.
 */
void store_gate_init(struct store_gate *gate, struct store_report *report);

/*
 * What the caller may do with the store now. After TRY it must report the result by a function below. Until this
 * process knows the store's state, callers wait for the first caller's result, until until_us (steady) at most: a
 * process that has just replaced another one must not refuse requests that its predecessor would have answered.
 */
enum store_gate_way store_gate_ask(struct store_gate *gate, int64_t until_us);

/* A connection was opened. */
void store_gate_worked(struct store_gate *gate);

/* An open connection was closed. */
void store_gate_closed(struct store_gate *gate);

/* A connection could not be opened, or was lost. */
void store_gate_failed(struct store_gate *gate, const struct error *err);

/*
 * A connection could not be opened. true: other workers have connections, so the store only accepts no more of them,
 * and the gate stays open. false: the same as store_gate_failed().
 */
bool store_gate_refused(struct store_gate *gate, const struct error *err);

/* When to try the store next, by the steady clock; INT64_MAX: it works, or is being tried. */
int64_t store_gate_try_at(struct store_gate *gate);

#endif
