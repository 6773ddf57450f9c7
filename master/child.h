/* One supervised process, from its start to the report of its death. Master only. */
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
	X(WAITING, "waiting") /* starts at start_at_us */                                                              \
	X(RUNNING, "running")                                                                                          \
	X(STOPPING, "stopping") /* runs; was told to stop */                                                           \
	X(STUCK, "stuck") /* killed for lack of heartbeats, not yet reaped */                                          \
	X(DONE, "done") /* does not run and will not be started again */

#define X(symbol, name) CHILD_##symbol,
enum child_state { CHILD_STATE_LIST(X) CHILD_STATES };
#undef X

struct child {
	const struct process_role *role; /* borrowed */
	uint32_t index; /* in its role */
	struct process_slot *slot;
	enum child_state state; /* only child_set_state() changes it */
	pid_t pid; /* 0 while no process runs */
	int64_t started_us; /* steady clock */
	int64_t start_at_us; /* steady clock, if WAITING */
	uint32_t short_lives; /* consecutive deaths within a second of the start */
	struct backoff backoff; /* between restarts */
};

/* A WAITING child whose first start is due. */
struct child child_init(const struct segment *segment, const struct process_role *role, uint32_t index);

/* "writer" */
const char *child_role_name(const struct child *child);

/*
 * Changes the state; asserts that the change is allowed. Set pid before entering a state with a running process.
 * Entering WAITING or DONE clears the pid and ends the slot.
 */
void child_set_state(struct child *child, enum child_state state);

/*
 * As fork(2), for a WAITING child. In the master the child becomes RUNNING, or stays WAITING if the fork failed (-1,
 * errno). In the new process (0) the slot, the process's name and its log are set up, and it dies with the master.
 */
pid_t child_fork(struct child *child, const struct config *config);

/* Sends a signal to the process, if it runs. */
void child_signal(const struct child *child, int signo);

/* Tells a RUNNING child to stop. */
void child_stop(struct child *child);

/* Whether that status of waitpid(2) is an orderly end of a process that was told to stop. */
bool child_stopped_as_told(const struct child *child, int status);

/* Counts short lives, for a death at now_us. Returns the milliseconds until the next start. */
uint32_t child_restart_delay_ms(struct child *child, int64_t now_us);

/* Logs and counts the death of a process with that status of waitpid(2). Call it before changing the state. */
void child_report_death(const struct child *child, int status, int64_t now_us, uint32_t restart_in_ms);

#endif
