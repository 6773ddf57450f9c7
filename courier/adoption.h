/*
 * Takes over the jobs of nodes that are gone: adopts their rows in delivery_nodes, then gives their jobs to this node,
 * slice by slice, and has the couriers look for them (docs/adr/0009-nodes.md). For the store thread of
 * courier 0.
 */
#ifndef COURIER_ADOPTION_H
#define COURIER_ADOPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/repeat.h"
#include "config/config.h"
#include "shm/segment.h"
#include "store/db.h"
#include "store/webhooks/adoption_rows.h"
#include "store/webhooks/node_rows.h"

enum adoption_state {
	ADOPTION_RESTS, /* a pass over the jobs may begin at next_us */
	ADOPTION_MOVES, /* a pass is under way */
	ADOPTION_SENDS /* the jobs are moved; this node becomes the sender of the orders that the lost nodes sent */
};

struct adoption {
	const struct config *config;
	const struct segment *segment;
	/* Heartbeats: the run without a gap began at run_us; the last one was at heartbeat_us and alive_ms. */
	int64_t run_us, heartbeat_us; /* steady */
	int64_t alive_ms; /* the database's clock; 0: there was none */
	/* Passes. */
	enum adoption_state state;
	int64_t next_us; /* steady: the next step; INT64_MAX: none is due */
	uint32_t passes; /* completed since the last adoption */
	int64_t mark; /* a transaction that began before it may still add jobs; -1: not known yet */
	bool last; /* all transactions before mark had ended when this pass began */
	struct adoption_place place; /* of the pass */
	uint32_t orders; /* orders per step */
	uint64_t moved, unseen; /* jobs moved: in this pass; since the couriers were last woken */
	int64_t woken_us; /* steady: the last wake, or the start of the pass */
	bool in_doubt; /* the commit of an adoption was: no row is removed before a heartbeat has started a new pass */
	bool any_unadopted; /* at the last heartbeat a node was gone that could not be adopted */
	struct repeat blocked, failing;
};

/*
 * Call it at the start of the process and after each claim of the node's row: the first step finds earlier adoptions.
 * config and segment are borrowed.
 */
void adoption_open(struct adoption *adoption, const struct config *config, const struct segment *segment);

/* The interval of heartbeats, and how long after a heartbeat couriers may begin attempts. */
int64_t adoption_heartbeat_us(const struct config *config);
int64_t adoption_attempts_us(const struct config *config);

/*
 * Adopts the nodes that are gone. Call it after a successful heartbeat that began at sent_us (steady) and wrote beat. A
 * silent node is adopted only if this node's own heartbeats came without a gap for HL_NODE_TIMEOUT_SECS: after an
 * outage of the store all nodes have been silent. 0, or <0 as db_commit().
 */
int adoption_after_heartbeat(struct adoption *adoption, struct db *db, const struct node_row *row,
    const struct node_heartbeat *beat, const struct node_heartbeat_result *result, int64_t sent_us,
    struct error *err); /* seven: the heartbeat's facts */

/* When to call adoption_step() next, by the steady clock; INT64_MAX: not before the next adoption. */
int64_t adoption_due_us(const struct adoption *adoption);

/*
 * Moves one slice of jobs, or checks whether there are jobs to move. 0, or <0 as db_commit(). After a failure or a
 * refusal the next step is due some seconds later, so that other work goes on.
 */
int adoption_step(struct adoption *adoption, struct db *db, const struct node_row *row, struct error *err);

#endif
