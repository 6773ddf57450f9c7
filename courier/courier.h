/*
 * A courier without its loop: jobs come in from lanes and rows, attempts begin and end, outcomes go out. It is
 * driven by courier_turn(). The loop's thread alone calls these functions.
 */
#ifndef COURIER_COURIER_H
#define COURIER_COURIER_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/http.h"
#include "courier/jobs.h"
#include "courier/pages.h"
#include "courier/parcels.h"
#include "courier/queues.h"
#include "courier/reports.h"
#include "courier/store_thread.h"
#include "courier/tests.h"
#include "shm/courier_slot.h"
#include "shm/node.h"

struct courier {
	struct courier_slot *slot;
	const struct node_words *node;
	struct http *http;
	struct store_thread *thread;
	struct parcels parcels;
	struct reports reports;
	struct jobs jobs;
	struct queues queues;
	struct transform_cache transforms;
	struct ready ready;
	struct look look;
	struct pages pages;
	struct tests tests;
	bool started; /* what the predecessor left is committed */
	int64_t epoch; /* of the node's row whose jobs are in memory, when started */
	bool draining;
	bool walking, walk_wanted;
	bool walk_again; /* after the next walk: a publisher may commit by what it knew before a pause began or ended */
	uint32_t missed; /* of the slot, before the last walk */
	int64_t walked_us; /* the last walk began */
	int64_t told_version; /* of changes, the store thread was last woken for */
	bool more; /* another turn has work at once */
	int64_t tells_late_us; /* when it is told next how long jobs have been due */
};

/*
 * Fills in the parts behind slot, node, http, thread, the lanes of parcels and that of reports, which the caller has
 * set; all are borrowed. limit: HL_COURIER_BYTES. settle_us: see struct shares.
 */
void courier_open(struct courier *courier, uint64_t limit, int64_t settle_us);

/* Nothing is in flight. */
void courier_close(struct courier *courier);

/*
 * Takes parcels and news, lets time pass, begins attempts. Returns the instant of the steady clock at which the next
 * turn is due, if nothing comes before.
 */
int64_t courier_turn(struct courier *courier);

/* Whether something came meanwhile that is in the segment alone: a parcel, or a change. Checked before a sleep. */
bool courier_has_work(const struct courier *courier);

/* Attempts that are under way, of jobs and of tests. */
uint32_t courier_in_flight(const struct courier *courier);

/* For http_open(). */
void courier_attempt_done(void *context, void *order_context, const struct attempt_result *result);

/* The drain begins: no attempt is begun any more. */
void courier_drain(struct courier *courier);

#endif
