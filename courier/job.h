/* A job in a courier's memory, and all of them: courier/jobs.h says what is done with them. */
#ifndef COURIER_JOB_H
#define COURIER_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "courier/heap.h"
#include "courier/id_table.h"
#include "courier/transform_cache.h"
#include "event/record.h"
#include "shm/attempts.h"

struct endpoint_config;
struct fifo_lane;
struct look;
struct queue;
struct queues;
struct ready;

/* Whether it is a job's first attempt. */
enum job_class { JOB_FIRST, JOB_AGAIN, JOB_CLASSES };

/* An event's bytes, which its jobs share. */
struct event_copy {
	uint32_t references;
	uint8_t event_id[16];
	uint64_t bytes; /* of memory */
	const struct record *record; /* behind this struct; NULL: the event is nowhere any more */
};

/*
 * NONE: not in memory. WAITING: until it is due, its endpoint has a free slot, and its transform is there.
 * IN_FLIGHT: an attempt is under way. REPORTED: it waits until its outcome is committed, and then is forgotten or
 * waits again.
 */
enum job_state { JOB_NONE, JOB_WAITING, JOB_IN_FLIGHT, JOB_REPORTED };

struct job {
	struct id_link link; /* by the job's id */
	enum job_state state;
	struct queue *queue;
	struct event_copy *event;
	struct shared_transform *transform; /* NULL: it has none */
	struct endpoint_config *config; /* of IN_FLIGHT: what the attempt began with */
	enum job_class class; /* AGAIN also when this courier has attempted it, charged or not */
	enum job_class begun_class; /* of IN_FLIGHT */
	struct heap_item due; /* of its endpoint's heap; `at` is when it is due, NEVER_US: nothing is to be done */
	int64_t expires_us; /* steady clock: nobody's setting the clock ends a job */
	uint32_t attempt_count, attempt_base; /* as in its row */
	uint32_t position; /* of its last outcome on the lane */
	uint16_t place; /* of IN_FLIGHT: in jobs.attempts */
	bool uncommitted; /* that outcome is not committed; it stands in jobs.uncommitted */
	bool parked; /* it waits for its transform, in the list of that */
	bool expires_anew; /* the row does not have that */
	bool is_probe; /* of IN_FLIGHT: by its endpoint's breaker */
	bool disables; /* that outcome disables the endpoint */
	bool kept; /* the store refuses its outcome: its row says less than memory, where it stays until it is due */
	bool lost; /* its row is another node's by now, or gone: it is not begun again */
	bool blocks; /* it is dead, and stops its order */
	bool stray; /* of the order of before its endpoint kept this one: see fifo.strays */
	struct fifo_lane *lane; /* NULL: it keeps no order, or what follows it does not wait for it any more */
	int64_t fifo_seq; /* its place; 0 without a lane */
	uint64_t taken; /* jobs.taken, when it was */
	uint64_t page; /* the last page that its row stood in, by jobs.pages */
	TAILQ_ENTRY(job) of_queue, in_uncommitted, in_parked, in_lane;
};

struct jobs {
	struct id_table table;
	struct job_list uncommitted; /* by position */
	struct heap sizes; /* endpoints that can give way, the one whose jobs that wait have the most bytes first */
	uint32_t busy; /* endpoints that have jobs */
	uint64_t bytes, limit; /* of memory; HL_COURIER_BYTES */
	uint32_t in_flight;
	uint16_t places[COURIER_IN_FLIGHT_MOST]; /* in `attempts`; those from in_flight on are free */
	struct attempt_words *attempts; /* of the courier's slot */
	uint64_t taken, pages; /* ever: jobs into memory, pages of rows */
	struct queues *queues;
	struct transform_cache *transforms;
	struct ready *ready;
	struct look *look;
};

#endif
