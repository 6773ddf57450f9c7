/*
 * The supervisor keeps the processes of some roles running: it forks, reaps and restarts them, kills stuck ones, drains
 * and rolls. It knows only processes, signals and time; the caller's functions run the processes and report the work
 * left.
 */
#ifndef MASTER_SUPERVISOR_H
#define MASTER_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/exit_codes.h"
#include "config/config.h"
#include "master/process_role.h"
#include "shm/segment.h"

/* Borrows everything. The functions get context. All but run() are called in the master, between two polls. */
struct supervision {
	const struct process_role *roles;
	uint32_t role_count;
	const struct config *config; /* for DRAIN_TIMEOUT_SECONDS, STUCK_AFTER_SECONDS and the options of the log */
	const struct segment *segment;
	void *context;
	/*
	 * Runs in the child, with signals blocked and stdin and stdout inherited. Returns the exit code. Must call
	 * heartbeat() (shm/heartbeat.h), or the process is killed and replaced.
	 */
	int (*run)(void *context, enum role role, uint32_t index);
	/* Called at least once a second. */
	void (*on_turn)(void *context);
	/* Every process is ready for the first time. Writes a sentence for the service manager to status. */
	void (*on_ready)(void *context, char *status, size_t size);
	/* HUP has come: the processes of the rolling roles will be replaced. */
	void (*on_reload)(void *context);
	/* A drain begins; no process was told yet. */
	void (*on_drain)(void *context);
	/* From now on only roles that finish work are started: the master may close the others' descriptors. */
	void (*on_last_start)(void *context);
	/* The work left for the roles that finish work, and its field name in log lines. */
	uint64_t (*work_left)(void *context);
	const char *work_name;
};

/*
 * Forks and supervises processes until a drain is finished: after TERM or INT, or after a process has used up its
 * restart budget. A second TERM or INT, or the drain time-out, kills the rest. Master only; returns EXIT_DRAINED or
 * EXIT_FAILED.
 */
int supervise(const struct supervision *supervision);

#endif
