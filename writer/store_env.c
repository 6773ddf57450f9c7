/* Implements the sink's environment by functions of the segment, the writer's slot and its ledger. */
#include "writer/store_env.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>

#include "shm/heartbeat.h"
#include "shm/segment_lock.h"
#include "writer/unfinished_append.h"
#include "shm/counters.h"

int64_t
store_env_until_us(const struct store_env *env)
{
	return segment_store_until_us(env->segment->header);
}

static int64_t
store_until_us(void *context)
{
	return store_env_until_us(context);
}

static void
beat(void *context)
{
	struct store_env *env = context;

	heartbeat(&env->slot->process, 0);
}

static void
count(void *context, enum counter counter, uint64_t n)
{
	struct store_env *env = context;

	counter_add(&env->slot->process, counter, n);
}

static void
set_gauges(void *context, const uint64_t values[GAUGES])
{
	struct store_env *env = context;

	gauges_set(&env->slot->process, values);
}

static void
sync_failed(void *context)
{
	struct store_env *env = context;

	counter_add_sync_failure(env->slot);
}

static void
lock(void *context)
{
	const struct store_env *env = context;

	segment_append_lock(env->segment);
}

static bool
try_lock(void *context)
{
	const struct store_env *env = context;

	return segment_append_try_lock(env->segment);
}

static void
unlock(void *context)
{
	const struct store_env *env = context;

	segment_append_unlock(env->segment);
}

static void
begin(void *context, const struct stat *file, uint64_t bytes)
{
	struct store_env *env = context;

	ledger_append_begin(&env->slot->ledger, APPEND_JSONL, file, (uint64_t)file->st_size, bytes);
}

static void
failed(void *context, bool cut_off)
{
	struct store_env *env = context;

	ledger_append_failed(&env->slot->ledger, APPEND_JSONL, cut_off);
}

static bool
unfinished(void *context)
{
	const struct store_env *env = context;

	return ledger_append_open(&env->slot->ledger, APPEND_JSONL);
}

static int
cut_off(void *context, const char *directory, struct error *err)
{
	const struct segment *segment = ((struct store_env *)context)->segment;
	char copy[PATH_MAX];
	int rc = 0;

	(void)snprintf(copy, sizeof copy, "%s", segment->header->jsonl_path);

	const char *earlier = dirname(copy);

	for (uint32_t w = 0; rc == 0 && w < segment->counts[ROLE_WRITER]; w++)
		rc = unfinished_append_cut_off(
		    &segment_writer(segment, ROLE_WRITER, w)->ledger, APPEND_JSONL, directory, earlier, err);
	return rc;
}

void
store_env_init(struct store_env *env, const struct segment *segment, struct writer_slot *slot)
{
	static const struct append_journal journal = {
	    .lock = lock,
	    .try_lock = try_lock,
	    .unlock = unlock,
	    .begin = begin,
	    .failed = failed,
	    .unfinished = unfinished,
	    .cut_off = cut_off,
	};

	*env = (struct store_env){
	    .sink_env =
		{
		    .context = env,
		    .store_until_us = store_until_us,
		    .heartbeat = beat,
		    .count = count,
		    .set_gauges = set_gauges,
		    .sync_failed = sync_failed,
		    .journal = &journal,
		},
	    .segment = segment,
	    .slot = slot,
	};
}

int
store_env_cut_off_appends(struct store_env *env, const char *path, struct error *err)
{
	char copy[PATH_MAX];

	(void)snprintf(copy, sizeof copy, "%s", path);
	lock(env);
	int rc = cut_off(env, dirname(copy), err);
	unlock(env);
	return rc;
}
