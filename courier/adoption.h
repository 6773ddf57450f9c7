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
	ADOPTION_RESTS, /* until next_us, when a pass over the jobs may begin */
	ADOPTION_MOVES, /* a pass is under way */
	ADOPTION_SENDS /* its jobs are moved: the node becomes the one that sends what the others have sent in order */
};

struct adoption {
	const struct config *config;
	const struct segment *segment;
	/* Heartbeats: the run of those that came without a gap began at run_us; the last one was at these times. */
	int64_t run_us, beaten_us; /* steady */
	int64_t alive_ms; /* the database's clock; 0: there was none */
	/* Passes. */
	enum adoption_state state;
	int64_t next_us; /* steady: the next step; INT64_MAX: none is due */
	uint32_t passes; /* made since a node was adopted last */
	int64_t mark; /* transactions that began before it may still add jobs; -1: not known yet */
	bool last; /* all of these had ended when the pass began */
	struct adoption_place place; /* of the pass */
	uint32_t orders; /* with so many at once the node goes on */
	uint64_t moved, untold; /* jobs: in the pass; since couriers were told last */
	int64_t told_us; /* steady: when they were, or when the pass began */
	bool
	    in_doubt; /* it is not known whether nodes are adopted: the next heartbeat that succeeds comes after that */
	bool passed_over; /* at the last heartbeat a node was gone that could not be adopted */
	struct repeat blocked, failing;
};

/*
 * The process has begun, or the node has claimed its row: the first step finds what the node had adopted before. config
 * and segment are borrowed.
 */
void adoption_open(struct adoption *adoption, const struct config *config, const struct segment *segment);

/* How often this node says that it lives, and how long after a heartbeat its couriers begin no attempt any more. */
int64_t adoption_beat_us(const struct config *config);
int64_t adoption_attempts_us(const struct config *config);

/*
 * A heartbeat that began at sent_us (steady) has succeeded: adopts the nodes that are gone. For its silence a node is
 * adopted only when heartbeats of this node have come without a gap for as long as that: after an outage of the store
 * all nodes have been silent. beat: what it said. 0, or <0 as db_commit().
 */
int adoption_beaten(struct adoption *adoption, struct db *db, const struct node_row *row, const struct node_beat *beat,
    const struct node_pulse *pulse, int64_t sent_us, struct error *err); /* seven: the heartbeat's facts */

/* When adoption_step() is to be called next, by the steady clock; INT64_MAX: not before the next adoption. */
int64_t adoption_due_us(const struct adoption *adoption);

/*
 * Moves one slice of jobs, or looks whether there is something to move. 0, or <0 as db_commit(): the next step is due
 * some seconds later then, as after what the store refuses, so other work goes on.
 */
int adoption_step(struct adoption *adoption, struct db *db, const struct node_row *row, struct error *err);

#endif
