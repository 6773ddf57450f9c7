/*
 * The jobs in a courier's memory: found by id, bounded in bytes, each in one state. A job stays until its outcome is
 * committed and nothing is to be done for it soon; then its row is what is left of it (docs/adr/0001-delivery.md, "The
 * life of a job"). The loop's thread alone calls these functions; times are of the steady clock unless they say so.
 */
#ifndef COURIER_JOBS_H
#define COURIER_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/queues.h"
#include "courier/look.h"
#include "courier/ready.h"
#include "event/record.h"
#include "shm/attempts.h"

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
	uint64_t taken; /* jobs.taken, when it was */
	uint64_t page; /* the last page that its row stood in, by jobs.pages */
	TAILQ_ENTRY(job) of_queue, in_uncommitted, in_parked;
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

/* What is known of a job that is taken into memory. */
struct job_facts {
	uint8_t job_id[16];
	uint8_t transform_id[16]; /* all zero: none */
	int64_t due_us;
	int64_t expires_us; /* steady clock */
	bool expires_anew;
	uint32_t attempt_count, attempt_base; /* as in its row */
};

/* A copy with one reference, which the caller has; record NULL: there is none. The second gives a reference back. */
struct event_copy *event_copy_new(struct jobs *jobs, const uint8_t event_id[16], const struct record *record);
void event_copy_give(struct jobs *jobs, struct event_copy *event);

/* The four parts and attempts are borrowed; attempts are emptied. */
void jobs_open(struct jobs *jobs, uint64_t limit, struct attempt_words *attempts);

/* Forgets all of them. Nothing is in flight. */
void jobs_close(struct jobs *jobs);

struct job *jobs_find(const struct jobs *jobs, const uint8_t job_id[16]);

/* Whether the endpoint may take a job whose event has so many bytes; always if it has none, unless memory is full. */
bool jobs_has_room(const struct jobs *jobs, const struct queue *queue, uint64_t bytes);

/* The bytes of events that it may take. */
uint64_t jobs_room(const struct jobs *jobs, const struct queue *queue);

/*
 * Takes a job into memory, whose id is not there. It gets a reference of the event of its own. When memory is full now,
 * jobs that wait are left in their rows.
 */
void jobs_take(struct jobs *jobs, struct queue *queue, struct event_copy *event, const struct job_facts *facts);

/* An attempt begins, of at most COURIER_IN_FLIGHT_MOST. The job waits; its endpoint delivers. */
void jobs_start(struct jobs *jobs, struct job *job);

/*
 * Its outcome is on the lane, and the job is due again then; NEVER_US: it is delivered or dead. The job was in
 * flight, or waited and died without an attempt. It may be forgotten by the next call that is told of a commit.
 */
void jobs_reported(struct jobs *jobs, struct job *job, uint32_t position, int64_t due_us);

/* The attempt was cut off by the end of a drain, and has no outcome: the job stays as its row is. */
void jobs_cut_off(struct jobs *jobs, struct job *job);

/* The outcomes below that position of the lane are committed. */
void jobs_committed(struct jobs *jobs, uint32_t released);

/*
 * The store takes the outcome at that position of the lane, which is not told as committed yet, in no form. If it is
 * the job's last one, the job is attempted again, not before ten minutes have passed: its row does not say that it must
 * wait.
 */
void jobs_refused(struct jobs *jobs, const uint8_t job_id[16], uint32_t position);

/* The jobs of the endpoint that wait are left in their rows. For one that holds, is gone, or was asked for a pause. */
void jobs_leave(struct jobs *jobs, struct queue *queue);

/* The same, but for as many as an endpoint keeps whose breaker is open. */
void jobs_leave_most(struct jobs *jobs, struct queue *queue);

/*
 * A page of an endpoint's rows is the word on the jobs that were in memory before it was asked for: others cancel
 * jobs, erase them, make them due earlier. The three go in this order: a page came; a row of it is due then; its rows
 * were those behind `after` up to `last` (NULL: to the end). A job whose row is not there is forgotten. One of which an
 * attempt or an outcome is under way is not begun again.
 */
void jobs_page_begins(struct jobs *jobs);
void jobs_page_has(struct jobs *jobs, const struct queue *queue, const uint8_t job_id[16], int64_t due_us);
void jobs_page_ends(struct jobs *jobs, struct queue *queue, const uint8_t after[16], const uint8_t *last);

/* Somebody has cancelled that job of the tenant: it is not begun any more, if it is there. */
void jobs_cancel(struct jobs *jobs, const char *tenant_id, const uint8_t job_id[16]);

/* The node's row is another's: nothing of what is in memory is to be begun. */
void jobs_lose(struct jobs *jobs);

/* The transform is there, or cannot be read: its parked jobs go on. */
void jobs_unpark(struct jobs *jobs, struct shared_transform *transform);

#endif
