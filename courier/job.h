/* The structs of a courier's jobs in memory; courier/jobs.h has the functions. */
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
struct read_schedule;
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
	const struct record *record; /* behind this struct; NULL: the event is gone */
};

/*
 * NONE: not in memory. WAITING: until it is due, its endpoint has a free slot, and its transform is loaded. IN_FLIGHT:
 * an attempt is under way. REPORTED: until its outcome is committed; then it is forgotten or waits again.
 */
enum job_state { JOB_NONE, JOB_WAITING, JOB_IN_FLIGHT, JOB_REPORTED };

struct job {
	struct id_link link; /* by the job's id */
	enum job_state state;
	struct queue *queue;
	struct event_copy *event;
	struct shared_transform *transform; /* NULL: it has none */
	struct endpoint_config *config; /* of IN_FLIGHT: the configuration that the attempt uses */
	enum job_class class; /* AGAIN also after an attempt of this courier that was not charged */
	enum job_class begun_class; /* of IN_FLIGHT */
	struct heap_item due; /* in its endpoint's heap; `at`: when it is due, NEVER_US: nothing is left to do */
	int64_t expires_us; /* steady clock: setting the wall clock expires no job */
	uint32_t attempt_count, attempt_base; /* as in its row */
	uint32_t position; /* position of its last outcome on the lane */
	uint16_t place; /* of IN_FLIGHT: in jobs.attempts */
	bool uncommitted; /* that outcome is not committed; the job is in jobs.uncommitted */
	bool parked; /* it waits in its transform's list */
	bool expires_anew; /* expires_us is not in the row yet */
	bool is_probe; /* of IN_FLIGHT: by its endpoint's breaker */
	bool disables; /* its last outcome disables the endpoint */
	bool kept; /* the store refuses its outcome: the row is outdated, so the job stays in memory until it is due */
	bool disowned; /* its row is gone or another node's: it is not begun again */
	bool blocks; /* it is dead and stops its order */
	bool of_former_order; /* from before its endpoint kept the present order: see fifo.of_former_order */
	struct fifo_lane *lane; /* NULL: it is in no order, or the jobs behind it no longer wait for it */
	int64_t fifo_seq; /* its place; 0 without a lane */
	uint64_t taken; /* jobs.taken, when it was taken */
	uint64_t page; /* jobs.pages, at the last page that had its row */
	TAILQ_ENTRY(job) of_queue, in_uncommitted, in_parked, in_lane;
};

struct jobs {
	struct id_table table;
	struct job_list uncommitted; /* by position */
	struct heap sizes; /* endpoints that can give up jobs, by the bytes of their waiting jobs, most first */
	uint32_t busy; /* endpoints that have jobs */
	uint64_t bytes, limit; /* of memory; HL_COURIER_BYTES */
	uint32_t in_flight;
	uint16_t places[COURIER_IN_FLIGHT_MOST]; /* indices into `attempts`; those from in_flight on are free */
	struct attempt_words *attempts; /* of the courier's slot */
	uint64_t taken, pages; /* totals: jobs taken into memory, pages of rows */
	struct queues *queues;
	struct transform_cache *transforms;
	struct ready *ready;
	struct read_schedule *schedule;
};

#endif
