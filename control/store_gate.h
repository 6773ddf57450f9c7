/*
 * Whether the webhooks' store is there. While it is away one worker at a time tries to open it, with longer and longer
 * pauses, and all others answer 503 at once. What the gate knows stands in the process's slot. Any thread.
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

/* OPEN: the store works. TRY: the caller is the one that tries. SHUT: the store is away. */
enum store_gate_way { STORE_GATE_OPEN, STORE_GATE_TRY, STORE_GATE_SHUT };

struct store_gate {
	pthread_mutex_t lock;
	struct store_report *report; /* of this process's slot */
	pthread_cond_t known; /* the first result has come */
	bool works, being_tried;
	bool tried; /* by this process */
	uint32_t connections; /* that workers have */
	int64_t try_at_us; /* steady, while the store is away */
	struct backoff backoff;
	struct repeat failures, refusals;
};

/* The store is away, and may be tried at once. A store that a predecessor has reached since the start counts so. */
void store_gate_init(struct store_gate *gate, struct store_report *report);

/*
 * What the caller may do with the store now. After TRY it calls one of the next two. Until this process knows anything
 * of the store, callers wait for what the first of them finds out, until that instant of the steady clock at most; a
 * process that has just replaced another one must not refuse what its predecessor would have answered.
 */
enum store_gate_way store_gate_ask(struct store_gate *gate, int64_t until_us);

/* A connection was opened. */
void store_gate_worked(struct store_gate *gate);

/* A connection that was opened is closed. */
void store_gate_closed(struct store_gate *gate);

/* A connection could not be opened, or was lost. */
void store_gate_failed(struct store_gate *gate, const struct error *err);

/*
 * A connection could not be opened. Returns whether other workers have some: the store only takes no more of them, and
 * the gate stays open. Else the same as store_gate_failed().
 */
bool store_gate_refused(struct store_gate *gate, const struct error *err);

/* When the store is to be tried, by the steady clock; INT64_MAX while it works, or is being tried. */
int64_t store_gate_try_at(struct store_gate *gate);

#endif
