/*
 * A courier without its loop: it takes jobs from lanes and rows, makes attempts, and reports outcomes. courier_turn()
 * drives it. The loop's thread alone calls these functions.
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
	struct read_schedule schedule;
	struct pages pages;
	struct tests tests;
	bool started; /* the predecessor's outcomes are committed */
	int64_t epoch; /* when started: the epoch of the node's row whose jobs are in memory */
	bool draining;
	bool scanning, scan_wanted;
	bool scan_again; /* scan twice: a publisher may commit by what it knew before a pause began or ended */
	uint32_t missed; /* `missed` of the slot, before the last scan */
	int64_t scanned_us; /* start of the last scan */
	int64_t woken_version; /* the version of changes that the store thread was last woken for */
	bool more; /* another turn has work at once */
	int64_t oldest_due_at_us; /* when to publish next how long jobs have been overdue */
};

/*
 * Initialises the other members. The caller has set slot, node, http, thread, parcels.lanes and reports.lane; all are
 * borrowed. limit: HL_COURIER_BYTES. settle_us: see struct shares.
 */
void courier_open(struct courier *courier, uint64_t limit, int64_t settle_us);

/* Nothing is in flight. */
void courier_close(struct courier *courier);

/*
 * Takes parcels and messages, handles what has become due, begins attempts. Returns when the next turn is due (steady),
 * if nothing comes before.
 */
int64_t courier_turn(struct courier *courier);

/* Whether the segment has work that no descriptor announces: a parcel or a change. Check it before a sleep. */
bool courier_has_work(const struct courier *courier);

/* Attempts under way, of jobs and of tests. */
uint32_t courier_in_flight(const struct courier *courier);

/* For http_open(). */
void courier_attempt_done(void *context, void *attempt_context, const struct attempt_result *result);

/* Begins the drain: no further attempt is begun. */
void courier_drain(struct courier *courier);

#endif
