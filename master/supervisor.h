/*
 * The supervisor keeps the processes of some roles running: it forks, reaps, restarts, kills what is stuck, drains and
 * rolls. It knows processes, signals and time. What the processes do, and whether work is left for them, it asks its
 * caller.
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

/* Everything is borrowed. The functions get context; all but run() are called in the master, between two polls. */
struct supervision {
	const struct process_role *roles;
	uint32_t role_count;
	const struct config *config; /* for DRAIN_TIMEOUT_SECONDS, STUCK_AFTER_SECONDS and the options of the log */
	const struct segment *segment;
	void *context;
	/*
	 * Runs in the child, signals blocked, stdin and stdout as inherited. Its result is the exit code. Must call
	 * heartbeat() (shm/heartbeat.h), or the process is killed and replaced.
	 */
	int (*run)(void *context, enum role role, uint32_t index);
	/* At least once a second. */
	void (*on_turn)(void *context);
	/* Every process has become ready, for the first time. Writes a sentence for the service manager to status. */
	void (*on_ready)(void *context, char *status, size_t size);
	/* HUP has come: processes of the roles that are replaced are about to be started anew. */
	void (*on_reload)(void *context);
	/* A drain begins; no process has been told yet. */
	void (*on_drain)(void *context);
	/*
	 * From now on only processes of roles that finish work are started: the master may close what the others
	 * inherit.
	 */
	void (*on_last_start)(void *context);
	/* How much is left for the roles that finish work, and the field's name for it in log lines. */
	uint64_t (*work_left)(void *context);
	const char *work_name;
};

/*
 * Forks and supervises until TERM or INT has been carried out, or a process has used up its restart budget. A second
 * TERM or INT, or the drain time-out, kills what is left. Master only; returns EXIT_DRAINED or EXIT_FAILED.
 */
int supervise(const struct supervision *supervision);

#endif
