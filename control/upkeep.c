/*
 * Two threads. One only follows API keys, because a task may wait for a lock, or count, as long as a statement may
 * take. The other one does the tasks when they are due.
 */
#include "control/upkeep.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "api/secrets.h"
#include "control/store_levels.h"
#include "store/webhooks/cancelled_jobs.h"
#include "control/failing_endpoints.h"
#include "control/notices.h"
#include "control/queue_depth.h"
#include "control/replay_work.h"
#include "control/retention.h"
#include "control/upkeep_thread.h"
#include "shm/counters.h"
#include "store/webhooks/idempotency.h"
#include "store/webhooks/inbox_rows.h"
#include "store/webhooks/key_rows.h"
#include "store/webhooks/months.h"
#include "store/webhooks/removal.h"
#include "store/webhooks/replay_rows.h"
#include "store/webhooks/secret_rows.h"
#include "store/webhooks/tenant_stats.h"
#include "store/webhooks/test_rows.h"
#include "store/webhooks/upkeep_rows.h"

/* Wait after a failed task; the others go on. */
#define RETRY_US (10 * 1000 * 1000)
#define SECOND_MS 1000
#define MINUTE_MS (60 * SECOND_MS)
#define DAY_MS (24ll * 60 * MINUTE_MS)

/* How long lists show a revoked key. */
#define REVOKED_KEPT_MS (30 * DAY_MS)
#define REMOVED_AT_ONCE 1000

struct upkeep {
	const struct config *config;
	const struct segment *segment;
	struct key_loader *keys;
	struct replay_work replays;
	struct retention_work retention;
	struct notices notices;
	struct failing_endpoints failing_endpoints;
	struct upkeep_thread *follower, *worker;
	/* For the worker only. */
	struct db *db; /* in a turn */
	int64_t due_us[24]; /* steady, by task */
	bool claimed[24]; /* by task: its last turn has failed, or has left rows, and the next one needs no claim */
	bool unfinished; /* the task in its turn leaves rows for another one */
	struct tenant_stats_run stats;
	bool counting; /* a run is under way */
	int64_t counting_us; /* time that it has taken */
	int64_t count_not_before_us, limit_not_before_us; /* steady */
};

/* ---- tasks ---- */

static int
make_months(struct upkeep *upkeep, struct error *err)
{
	uint32_t missing;
	int rc = webhooks_months_ahead(upkeep->db, upkeep->config->partitions_ahead, &missing, err);

	if (rc == DB_REFUSED)
		missing = 1; /* at least: unknown */
	if (rc == 0 || rc == DB_REFUSED)
		level_set(segment_slot(upkeep->segment, ROLE_CONTROL, 0), LEVEL_MONTHS_MISSING, missing);
	return rc;
}

static int
write_uses(struct upkeep *upkeep, struct error *err)
{
	return key_loader_write_uses(upkeep->keys, upkeep->db, err);
}

static int
remove_revoked_keys(struct upkeep *upkeep, struct error *err)
{
	int64_t before_ms = clock_wall_us() / 1000 - REVOKED_KEPT_MS;
	uint32_t removed;
	int rc;

	do
		rc = key_rows_remove_revoked(upkeep->db, before_ms, REMOVED_AT_ONCE, &removed, err);
	while (rc == 0 && removed == REMOVED_AT_ONCE);
	return rc;
}

/* A function of store/webhooks that removes up to limit old rows of one table. *removed: how many; 0: none are left. */
typedef int remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err);

/* How long rows are removed in a turn, so that no other task waits for all of them. */
#define REMOVING_US (200 * 1000)

static int
remove_all(struct upkeep *upkeep, remove_old *remove, struct error *err)
{
	int64_t until_us = clock_steady_us() + REMOVING_US;
	uint32_t removed = 0;
	int rc;

	do
		rc = remove(upkeep->db, REMOVED_AT_ONCE, &removed, err);
	while (rc == 0 && removed > 0 && clock_steady_us() < until_us);
	upkeep->unfinished = removed > 0;
	return rc;
}

static int
remove_idempotency_keys(struct upkeep *upkeep, struct error *err)
{
	return remove_all(upkeep, idempotency_remove_old, err);
}

static int
remove_inbox_messages(struct upkeep *upkeep, struct error *err)
{
	return remove_all(upkeep, inbox_rows_remove_old, err);
}

static int
remove_cancelled_jobs(struct upkeep *upkeep, struct error *err)
{
	return remove_all(upkeep, cancelled_jobs_remove_old, err);
}

static int
remove_replays(struct upkeep *upkeep, struct error *err)
{
	return remove_all(upkeep, replay_rows_remove_old, err);
}

static int
remove_endpoint_tests(struct upkeep *upkeep, struct error *err)
{
	return remove_all(upkeep, test_rows_remove_old, err);
}

/*
 * Counting takes longer the larger the tables are, so it gets at most this fraction of the time. No other task waits
 * for more than one turn of it.
 */
#define COUNTING_SHARE 20
#define COUNTING_PERIOD_MS MINUTE_MS
#define COUNTING_TURN_US (100 * 1000)
#define COUNTING_SLICE_ROWS 50000

static int
begin_counting(struct upkeep *upkeep, struct error *err)
{
	bool mine = false;
	int rc = upkeep_claim(upkeep->db, "tenant_stats", COUNTING_PERIOD_MS, &mine, err);

	if (rc != 0)
		return rc;
	upkeep->count_not_before_us = clock_steady_us() + COUNTING_PERIOD_MS * 1000;
	upkeep->counting = mine;
	upkeep->counting_us = 0;
	if (mine)
		tenant_stats_begin(&upkeep->stats, COUNTING_SLICE_ROWS);
	return 0;
}

static int
count_for_tenants(struct upkeep *upkeep, struct error *err)
{
	int64_t began_us = clock_steady_us(), now_us, next_us;
	int rc = 0;

	if (!upkeep->counting && began_us >= upkeep->count_not_before_us)
		rc = begin_counting(upkeep, err);
	if (rc != 0 || !upkeep->counting)
		return rc;
	do {
		rc = tenant_stats_step(upkeep->db, &upkeep->stats, err);
		now_us = clock_steady_us();
	} while (rc == 0 && !upkeep->stats.done && now_us - began_us < COUNTING_TURN_US);
	upkeep->counting_us += now_us - began_us;
	upkeep->counting = !upkeep->stats.done;
	next_us = now_us + upkeep->counting_us * COUNTING_SHARE;
	if (!upkeep->counting && next_us > upkeep->count_not_before_us)
		upkeep->count_not_before_us = next_us;
	return rc;
}

static int
update_levels(struct upkeep *upkeep, struct error *err)
{
	return store_levels_update(upkeep->db, upkeep->config, upkeep->segment, err);
}

static int
update_endpoint_levels(struct upkeep *upkeep, struct error *err)
{
	return store_levels_update_endpoints(upkeep->db, upkeep->config, upkeep->segment, err);
}

/* Looking takes longer the deeper the tenants' queues may be. */
#define LOOKING_SHARE 20

static int
limit_queue_depth(struct upkeep *upkeep, struct error *err)
{
	int64_t began_us = clock_steady_us();
	int rc;

	if (began_us < upkeep->limit_not_before_us)
		return 0;
	rc = queue_depth_limit(upkeep->db, upkeep->config, upkeep->segment, err);
	upkeep->limit_not_before_us = clock_steady_us() + (clock_steady_us() - began_us) * LOOKING_SHARE;
	return rc;
}

/* Slices per turn, so that no other task waits for all of them. */
#define SLICES_AT_ONCE 20

static int
remove_deleted(struct upkeep *upkeep, struct error *err)
{
	bool more = true;
	int rc = 0;

	for (int slices = 0; rc == 0 && more && slices < SLICES_AT_ONCE; slices++)
		rc = removal_step(upkeep->db, upkeep->config, &more, err);
	return rc;
}

/* Warns of endpoints with unreadable secrets before a delivery to them has to wait. */
static int
check_master_keys(struct upkeep *upkeep, struct error *err)
{
	struct secrets secrets;
	struct db_rows *rows;
	int rc = secret_rows_by_key(upkeep->db, &rows, err);

	if (rc != 0)
		return rc;
	secrets_open(&secrets, upkeep->config);
	for (uint32_t row = 0; row < db_rows_count(rows); row++) {
		char fingerprint[SECRET_FINGERPRINT_BYTES + 1];

		if (secret_lacks_key(&secrets, db_rows_text(rows, row, 0), fingerprint))
			log_warning(
			    "secrets of endpoints are encrypted with a master key that is not in the configuration",
			    LOG_STR("fingerprint", fingerprint), LOG_INT("endpoints", db_rows_int(rows, row, 1)));
	}
	secrets_close(&secrets);
	db_rows_free(rows);
	return 0;
}

static int
work_on_replays(struct upkeep *upkeep, struct error *err)
{
	return replay_work_turn(&upkeep->replays, upkeep->db, err);
}

static int
work_on_retention(struct upkeep *upkeep, struct error *err)
{
	return retention_work_turn(&upkeep->retention, upkeep->db, err);
}

static int
publish_notices(struct upkeep *upkeep, struct error *err)
{
	return notices_turn(&upkeep->notices, upkeep->db, err);
}

static int
disable_failing_endpoints(struct upkeep *upkeep, struct error *err)
{
	return failing_endpoints_turn(&upkeep->failing_endpoints, upkeep->db, err);
}

static int look_for_asked(struct upkeep *upkeep, struct error *err);

/* SHARED: one node does the task for all, so the name is that of a row. */
static const struct task {
	const char *name;
	int64_t period_ms;
	bool shared;
	int (*run)(struct upkeep *upkeep, struct error *err);
} tasks[] = {
    {"asked", SECOND_MS, false, look_for_asked},
    {"months", 60 * MINUTE_MS, false, make_months},
    {"key_uses", MINUTE_MS, false, write_uses},
    {"revoked_keys", DAY_MS, true, remove_revoked_keys},
    {"idempotency_keys", 60 * MINUTE_MS, true, remove_idempotency_keys},
    {"inbox_messages", 60 * MINUTE_MS, true, remove_inbox_messages},
    {"cancelled_jobs", 60 * MINUTE_MS, true, remove_cancelled_jobs},
    {"endpoint_tests", MINUTE_MS, true, remove_endpoint_tests},
    {"tenant_stats", 0, false, count_for_tenants}, /* it has its own row */
    {"figures", 10 * SECOND_MS, false, update_levels},
    {"endpoints", MINUTE_MS, false, update_endpoint_levels},
    {"queue_limit", SECOND_MS, false, limit_queue_depth},
    {"deleted", SECOND_MS, false, remove_deleted},
    {"replays", 0, false, work_on_replays},
    {"ended_replays", DAY_MS, true, remove_replays},
    {"retention", 0, false, work_on_retention}, /* it has its own row */
    {"failing_endpoints", 5 * SECOND_MS, false, disable_failing_endpoints},
    {"notices", 0, false, publish_notices},
    {"master_keys", 60 * MINUTE_MS, false, check_master_keys},
};

#define TASKS (sizeof tasks / sizeof *tasks)

/*
 * control/compaction.c clears the time in the rows of tasks, on any node. The first node that sees such a row runs its
 * task.
 */
static int
look_for_asked(struct upkeep *upkeep, struct error *err)
{
	struct db_rows *asked;
	int rc = upkeep_asked(upkeep->db, &asked, err);

	if (rc != 0)
		return rc;
	for (uint32_t row = 0; row < db_rows_count(asked); row++) {
		const char *name = db_rows_text(asked, row, 0).base;

		for (size_t number = 0; number < TASKS; number++)
			if (tasks[number].shared && strcmp(tasks[number].name, name) == 0)
				upkeep->due_us[number] = 0;
		if (strcmp(name, "retention") == 0)
			retention_work_look(&upkeep->retention);
	}
	db_rows_free(asked);
	return 0;
}

/* The interval between two checks of a task: shorter for a task that other nodes may have done. */
static int64_t
next_look_us(const struct task *task)
{
	int64_t period_ms = task->shared && task->period_ms > 60 * MINUTE_MS ? 60 * MINUTE_MS : task->period_ms;

	return clock_steady_us() + period_ms * 1000;
}

/* ---- the threads ---- */

static int
do_task(struct upkeep *upkeep, size_t number, struct error *err)
{
	const struct task *task = &tasks[number];
	bool mine = true;
	int rc = 0;

	if (clock_steady_us() < upkeep->due_us[number])
		return 0;
	upkeep->unfinished = false;
	if (task->shared && !upkeep->claimed[number])
		rc = upkeep_claim(upkeep->db, task->name, task->period_ms, &mine, err);
	if (rc == 0 && mine)
		rc = task->run(upkeep, err);
	upkeep->claimed[number] = mine && (rc != 0 || upkeep->unfinished);
	if (rc != 0)
		upkeep->due_us[number] = clock_steady_us() + RETRY_US;
	else if (!upkeep->unfinished)
		upkeep->due_us[number] = next_look_us(task);
	return rc;
}

/* Keys revoked on other nodes are refused here within a second, whatever a task waits for. */
static int
follow_keys(void *keys, struct db *db, struct error *err)
{
	return key_loader_follow(keys, db, err);
}

static int
do_tasks(void *context, struct db *db, struct error *err)
{
	struct upkeep *upkeep = context;
	int rc = 0;

	upkeep->db = db;
	for (size_t number = 0; rc == 0 && number < TASKS; number++)
		rc = do_task(upkeep, number, err);
	return rc;
}

struct upkeep *
upkeep_start(const struct config *config, const struct segment *segment, const struct db_env *env,
    struct key_loader *keys, struct error *err)
{
	struct upkeep *upkeep = mem_new(1, sizeof *upkeep);
	const struct upkeep_duty
	    of_keys = {.name = "keys", .config = config, .env = env, .turn = follow_keys, .context = keys},
	    of_tasks = {.name = "tasks", .config = config, .env = env, .turn = do_tasks, .context = upkeep};

	_Static_assert(TASKS <= sizeof upkeep->due_us / sizeof *upkeep->due_us, "a time for each task");
	upkeep->config = config;
	upkeep->segment = segment;
	upkeep->keys = keys;
	upkeep->replays = (struct replay_work){config, segment, router_new(config)};
	upkeep->retention = (struct retention_work){.config = config, .segment = segment};
	upkeep->notices = (struct notices){.config = config, .segment = segment, .router = upkeep->replays.router};
	upkeep->failing_endpoints = (struct failing_endpoints){.segment = segment};
	uuid_source_init(&upkeep->failing_endpoints.ids);
	upkeep->follower = upkeep_thread_start(&of_keys, err);
	upkeep->worker = upkeep->follower != NULL ? upkeep_thread_start(&of_tasks, err) : NULL;
	return upkeep->worker != NULL ? upkeep : NULL; /* the process ends, and a started thread with it */
}

bool
upkeep_stop(struct upkeep *upkeep, int64_t until_us)
{
	bool ended = upkeep_thread_stop(upkeep->follower, until_us);

	if (!upkeep_thread_stop(upkeep->worker, until_us) || !ended)
		return false;
	router_free(upkeep->replays.router);
	retention_work_close(&upkeep->retention);
	failing_endpoints_free(&upkeep->failing_endpoints);
	tenant_stats_free(&upkeep->stats);
	free(upkeep);
	return true;
}
