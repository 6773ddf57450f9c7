/*
 * What a sink needs of its process: how long calls may last, heartbeats, counters and gauges, and a journal of
 * appends to a file that several processes share. A writer implements it on shared memory (writer/store_env.h).
 */
#ifndef STORE_SINK_ENV_H
#define STORE_SINK_ENV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "event/handover.h"
#include "shm/node.h"
#include "shm/series.h"

/*
 * Appends to a file that several processes share. Each process has at most one append. An append is valid once its
 * process has recorded that the batch is stored; if the process dies before that the append is unfinished, and the next
 * call of cut_off() in any process takes it out of the file. context is the environment's.
 */
struct append_journal {
	/*
	 * The lock of file and journal. The kernel releases it when its holder dies. try_lock() does not wait; false:
	 * another process has the lock, or it cannot be had now.
	 */
	void (*lock)(void *context);
	bool (*try_lock)(void *context);
	void (*unlock)(void *context);

	/* With the lock, before the first byte is written: records an append of at most `bytes` at the end of *file. */
	void (*begin)(void *context, const struct stat *file, uint64_t bytes);

	/*
	 * Records that the append failed. cut_off: the caller has truncated it; otherwise the next cut_off() does that.
	 */
	void (*failed)(void *context, bool cut_off);

	/*
	 * Whether the file may contain this process's append, or a part, although its batch is not recorded as stored.
	 */
	bool (*unfinished)(void *context);

	/* With the lock: cuts off the unfinished appends of all processes to files in that directory. 0 or <0. */
	int (*cut_off)(void *context, const char *directory, struct error *err);
};

/*
 * How a sink of published events hands the jobs that it has committed to couriers. Call add() any number of times after
 * a commit, then end(). A job without room on its lane stays in its row, and its courier is notified. missed() has all
 * couriers look at their rows. node() gives this node's row; false: it has none yet. context is the environment's.
 */
struct handing_over {
	void (*add)(void *context, const struct record *event, const struct handover_job *jobs, uint32_t count,
	    int64_t begun_us);
	void (*end)(void *context);
	void (*missed)(void *context);
	bool (*node)(void *context, struct node_row *row);
};

struct db_env;

/*
 * Functions, journal, handing_over and database may be NULL. {0}: a process without drain, heartbeats and metrics,
 * such as hooksctl.
 */
struct sink_env {
	void *context; /* first argument of all functions */
	int64_t (*store_until_us)(void *context);
	void (*heartbeat)(void *context);
	void (*count)(void *context, enum counter counter, uint64_t n);
	void (*set_gauges)(void *context, const uint64_t values[GAUGES]);
	void (*sync_failed)(void *context);
	const struct append_journal *journal;
	const struct handing_over *handing_over;
	const struct db_env *database; /* for a sink whose store has a connection of store/db.h */
};

/* The time (steady) after which nothing is stored any more; INT64_MAX: none. It may become earlier. */
int64_t sink_env_store_until_us(const struct sink_env *env);

/* Sends a heartbeat. Not from a thread in which a sink opens: the process's own loop sends them meanwhile. */
void sink_env_heartbeat(const struct sink_env *env);

/* Adds to a counter. */
void sink_env_count(const struct sink_env *env, enum counter counter, uint64_t n);

/* Sets all gauges. */
void sink_env_set_gauges(const struct sink_env *env, const uint64_t values[GAUGES]);

/* Counts a failed sync of a file, and notes the time. */
void sink_env_sync_failed(const struct sink_env *env);

#endif
