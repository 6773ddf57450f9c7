/*
 * The process tree as data: one row per role, and the supervisor that keeps the rows' processes running. It knows
 * processes, signals and time, and nothing of what they do: master/main.c writes the table.
 */
#ifndef MASTER_SUPERVISOR_H
#define MASTER_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "base/error.h"
#include "base/exit_codes.h"
#include "shm/segment.h"

struct process_role {
	const char *name; /* "acceptor" */
	uint32_t count;
	uint32_t first_slot; /* of its processes in the segment */
	enum counter restarts; /* the first of them; they are in the order of enum death */
	/*
	 * Runs in the child, signals blocked, stdin and stdout as inherited. Its result is the exit code. Says that it
	 * lives by heartbeat() (shm/heartbeat.h), or is killed and replaced.
	 */
	int (*run)(void *context, uint32_t index);
	void (*on_drain)(void *context); /* runs in the master before a drain's first TERM; NULL: nothing */
	bool rolls_on_hup; /* HUP replaces its processes one by one; otherwise HUP is passed on to them */
};

/*
 * Forks and supervises roles[0..count) until TERM or INT has been carried out, or a process has used up its restart
 * budget. Roles drain in the order of the table: a role's processes get TERM when all of the roles before it are gone.
 * A second TERM or INT, or the drain time-out, kills what is left. look() runs in the master at least once a second.
 * Master only; returns EXIT_DRAINED or EXIT_FAILED.
 */
int supervise(const struct process_role *roles, uint32_t count, void *context, void (*look)(void *context),
    const struct config *config, const struct segment *segment);

#endif
