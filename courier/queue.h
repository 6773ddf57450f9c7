/*
 * An endpoint that a courier knows, and its tenant: its configuration and the state of its jobs. Each part of a struct
 * is headed by the header whose functions change it. The loop's thread alone uses them.
 */
#ifndef COURIER_QUEUE_H
#define COURIER_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "courier/breaker.h"
#include "courier/endpoint_config.h"
#include "courier/fifo.h"
#include "courier/heap.h"
#include "courier/id_table.h"
#include "courier/job.h"
#include "courier/lease.h"
#include "courier/rate.h"

/* UNLOADED: its configuration was not asked for. GONE: the store has none; it is deleted. */
enum endpoint_state { ENDPOINT_UNLOADED, ENDPOINT_LOADING, ENDPOINT_LOADED, ENDPOINT_GONE };

/* A round over an endpoint's rows. READING: a page was asked for. OPEN: the next page is not asked for yet. */
enum round_state { ROUND_NONE, ROUND_READING, ROUND_OPEN };

/* The place of a tenant or an endpoint in courier/ready.h. ASIDE: it has its part of the slots for this turn. */
enum ready_place { READY_NOWHERE, READY_IN_LINE, READY_ASIDE };

#define NEVER_US INT64_MAX

/* Jobs that were left in their rows: when to read them, and from which job on. */
struct unread_rows {
	int64_t at_us; /* NEVER_US: none are */
	uint8_t from[16]; /* zeros: from the first job */
};

struct tenant {
	/* courier/queues.h */
	struct id_link link; /* by hash */
	uint64_t hash; /* of the name: shm/attempts.h */
	char *tenant_id;
	uint32_t queues; /* of its endpoints */
	bool paused; /* no attempt is begun for it */
	int64_t resumed_us; /* end of the last pause; 0: none */

	/* courier/ready.h */
	uint32_t in_flight; /* attempts */
	enum ready_place place;
	struct heap_item turn; /* of READY_IN_LINE */
	TAILQ_ENTRY(tenant) aside;
	struct heap ready; /* its endpoints that are in line */
};

struct queue {
	/* courier/queues.h */
	struct id_link link;
	struct tenant *tenant;
	enum endpoint_state state;
	struct endpoint_config *config; /* of LOADED */
	bool disabling; /* an outcome disables it; its configuration is not updated yet */
	int64_t resumed_us; /* until when it kept no jobs for a reason of its own; 0: never */
	TAILQ_ENTRY(queue) unused; /* in the list of unused endpoints, while nothing needs it */
	bool is_unused;
	int64_t unused_since_us;
	enum breaker_state written_breaker; /* last state sent to the store thread */
	int64_t breaker_version; /* of its configuration; 0: none yet */

	/* courier/jobs.h */
	struct job_list jobs;
	uint32_t job_count, in_flight;
	uint64_t bytes, waiting_bytes; /* of all jobs, and of those in `waiting` */
	struct heap_item size; /* by waiting_bytes, the most first */

	/* courier/ready.h */
	struct heap waiting[JOB_CLASSES]; /* its jobs that wait, by the instant at which each is due */
	int64_t held_until_us; /* no attempt before: the receiver asked for a pause, or no name server answered */
	int64_t unseen_version, rests_until_us; /* no attempt before: see ready_rule_changed() */
	uint32_t unresolved; /* consecutive attempts without a name server; then one attempt at a time */
	struct rate rate;
	struct breaker breaker;
	struct heap_item due; /* while it has to wait to be served */
	enum ready_place place;
	struct heap_item turn; /* of READY_IN_LINE */
	bool is_held_back;
	TAILQ_ENTRY(queue) aside, held_back;
	struct lease lease;
	struct heap_item lease_due; /* while its lease is to be asked for or given back later */

	struct fifo fifo; /* courier/fifo.h */

	/* courier/read_schedule.h */
	int64_t read_at_us; /* NEVER_US: all its rows are in memory */
	struct unread_rows unread,
	    unread_due; /* without new rows of an endpoint with fifo; unread_due: jobs due later */
	bool must_read; /* even if its breaker is open or its receiver wants a pause: rows have changed */
	enum round_state round;
	uint8_t cursor[16]; /* the round goes on behind this job */
	int64_t cursor_seq; /* and with fifo behind this place; FIFO_BEFORE_ALL: from the first */
	uint32_t pages; /* of the round */
	int64_t pages_took_us; /* time that the store needed for them */
	uint64_t taken; /* jobs.taken when its last page was asked for */
	int64_t next_us; /* no page before this time */
	struct heap_item read;
};

static inline uint32_t
queue_waiting(const struct queue *queue)
{
	return queue->waiting[JOB_FIRST].count + queue->waiting[JOB_AGAIN].count;
}

/* Whether its configuration lets jobs begin: it is loaded, and neither it nor its tenant holds. */
static inline bool
queue_delivers(const struct queue *queue)
{
	return queue->state == ENDPOINT_LOADED && !queue->tenant->paused && !endpoint_holds(queue->config) &&
	       !queue->disabling;
}

/* Until when its parcels were dropped because it or its tenant held; 0: never. */
static inline int64_t
queue_resumed_us(const struct queue *queue)
{
	return queue->resumed_us > queue->tenant->resumed_us ? queue->resumed_us : queue->tenant->resumed_us;
}

/* Whether it keeps no jobs in memory: it or its tenant holds, or it is deleted. */
static inline bool
queue_keeps_nothing(const struct queue *queue)
{
	return queue->tenant->paused || queue->state == ENDPOINT_GONE ||
	       (queue->state == ENDPOINT_LOADED && !queue_delivers(queue));
}

#endif
