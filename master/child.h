/* One process that the supervisor keeps running, from its start to the report of its death. Master only. */
#ifndef MASTER_CHILD_H
#define MASTER_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/backoff.h"
#include "config/config.h"
#include "master/process_role.h"
#include "shm/segment.h"

/*
 *   WAITING --> RUNNING --> STOPPING       A process that has died is WAITING for its restart, or DONE.
 *                   \          |
 *                    '---> STUCK
 */
#define CHILD_STATE_LIST(X)                                                                                            \
	X(WAITING, "waiting") /* to be started at start_at_us */                                                       \
	X(RUNNING, "running")                                                                                          \
	X(STOPPING, "stopping") /* runs, and has been told to stop */                                                  \
	X(STUCK, "stuck") /* killed because it was silent, and not reaped yet */                                       \
	X(DONE, "done") /* does not run, and is not started again */

#define X(symbol, name) CHILD_##symbol,
enum child_state { CHILD_STATE_LIST(X) CHILD_STATES };
#undef X

struct child {
	const struct process_role *role; /* borrowed */
	uint32_t index; /* in its role */
	struct process_slot *slot;
	enum child_state state; /* child_set_state() alone changes it */
	pid_t pid; /* 0 while no process runs */
	int64_t started_us; /* steady clock */
	int64_t start_at_us; /* steady clock, when WAITING */
	uint32_t short_lives; /* in a row: it died within a second of its start */
	struct backoff backoff; /* between restarts */
};

/* A child that waits for its first start, which is due. */
struct child child_init(const struct segment *segment, const struct process_role *role, uint32_t index);

/* "writer" */
const char *child_role_name(const struct child *child);

/*
 * The one function that changes the state; a change that cannot follow is an assert. A state in which the process runs
 * is entered with its pid set. Entering WAITING or DONE forgets the pid and empties the slot.
 */
void child_set_state(struct child *child, enum child_state state);

/*
 * As fork(2), for a child that is WAITING. In the master it is RUNNING afterwards, or still WAITING when the fork
 * failed (-1, errno). In the new process (0) the slot, the process's name and its log are set up, and it dies with the
 * master.
 */
pid_t child_fork(struct child *child, const struct config *config);

/* Does nothing while no process runs. */
void child_signal(const struct child *child, int signo);

/* Tells a RUNNING child to stop. */
void child_stop(struct child *child);

/* Whether a process that ended with that status of waitpid(2) was told to stop and did so. */
bool child_stopped_as_told(const struct child *child, int status);

/* Counts short lives, for a death at now_us. Returns how long to wait before the next start, in milliseconds. */
uint32_t child_restart_delay_ms(struct child *child, int64_t now_us);

/* Logs and counts the death of a process, which has not left its state yet, with that status of waitpid(2). */
void child_report_death(const struct child *child, int status, int64_t now_us, uint32_t restart_in_ms);

#endif
