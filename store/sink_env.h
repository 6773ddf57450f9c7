/*
 * What a sink needs of the process that uses it: how long its calls may last, somebody to tell that it lives, somebody
 * to count for, and a journal of appends to files that several processes share. A writer implements it on shared memory
 * (writer/store_env.h).
 */
#ifndef STORE_SINK_ENV_H
#define STORE_SINK_ENV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "shm/counters.h"

/*
 * Appends to a file that several processes share. Each process has at most one append of its own. An append is valid
 * once its process has recorded that its batch is stored; one whose process died before that is unfinished, and is cut
 * off by the next process that calls cut_off(). context is the environment's.
 */
struct append_journal {
	/* The lock of file and journal. The kernel releases it when its holder dies. try_lock(): false if not had now. */
	void (*lock)(void *context);
	bool (*try_lock)(void *context);
	void (*unlock)(void *context);

	/* With the lock, before the first byte is written: at the end of *file, at most so many bytes. */
	void (*begin)(void *context, const struct stat *file, uint64_t bytes);

	/* The append has failed; cut_off: nothing of it is left in the file. Otherwise the next cut_off() does that. */
	void (*failed)(void *context, bool cut_off);

	/* Whether an append of this process may stand in the file, in part or whole, that was never recorded as stored. */
	bool (*unfinished)(void *context);

	/* With the lock: cuts off the unfinished appends of all processes to files in that directory. 0 or <0. */
	int (*cut_off)(void *context, const char *directory, struct error *err);
};

/* Any function may be NULL, and so may be the journal: {0} is a process that nobody watches and that ends by itself. */
struct sink_env {
	void *context; /* first argument of all functions */
	int64_t (*store_until_us)(void *context);
	void (*heartbeat)(void *context);
	void (*count)(void *context, enum counter counter, uint64_t n);
	void (*set_gauges)(void *context, const uint64_t values[GAUGES]);
	void (*sync_failed)(void *context);
	const struct append_journal *journal;
};

/* The instant, by the steady clock, from which nothing is stored any more; INT64_MAX: none. It may come nearer. */
int64_t sink_env_store_until_us(const struct sink_env *env);

/* The process lives. Not from the thread in which a remote sink opens: the process's loop says so itself then. */
void sink_env_heartbeat(const struct sink_env *env);

/* Adds to a counter. */
void sink_env_count(const struct sink_env *env, enum counter counter, uint64_t n);

/* Sets all gauges. */
void sink_env_set_gauges(const struct sink_env *env, const uint64_t values[GAUGES]);

/* A file could not be synced: counts it, and notes the time. */
void sink_env_sync_failed(const struct sink_env *env);

#endif
