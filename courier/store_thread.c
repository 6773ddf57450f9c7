/*
 * One lock guards the requests and the words that both threads share. It is held briefly, never during a call that may
 * wait.
 */
#include "courier/store_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/repeat.h"
#include "base/sandbox.h"
#include "courier/store_requests.h"
#include "courier/store_duties.h"
#include "store/db_turn.h"
#include "store/webhooks_store.h"

/* The longest silence: making a connection (5 s an address); opening, which may update the schema. */
#define SILENT_US (20ll * 1000 * 1000)
#define SILENT_OPENING_US (90ll * 1000 * 1000)
#define RETRY_FIRST_MS 50
#define RETRY_MOST_MS 2000
/* The thread gives up this long before it must have ended. */
#define END_US (100 * 1000)

struct store_thread {
	const struct config *config;
	const struct segment *segment;
	struct store_report *report;
	struct lane lane;
	struct message_queue messages;
	struct store_duties *duties;
	struct db_turn turn;
	struct db *db; /* NULL: not open */
	struct backoff backoff;
	struct repeat failing;
	pthread_t thread;
	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t cond;
	struct store_requests requests;
	bool woken; /* store_thread_wake() was called since the thread last looked */
	bool paced; /* it sleeps until waiting outcomes are due */
	int64_t stop_us; /* steady: deadline of its calls; INT64_MAX: not stopping */
	int64_t alive_until_us; /* steady */
};

/* ---- signs of life ---- */

static void
may_be_silent(struct store_thread *thread, int64_t for_us)
{
	int64_t until_us = clock_steady_us() + for_us;

	pthread_mutex_lock(&thread->lock);
	thread->alive_until_us = until_us;
	pthread_mutex_unlock(&thread->lock);
}

static void
beat(void *context)
{
	may_be_silent(context, SILENT_US);
}

static void
session(void *context, int32_t pid)
{
	slot_set_session(context, pid);
}

static int64_t
stop_us(void *context)
{
	struct store_thread *thread = context;
	int64_t until_us;

	pthread_mutex_lock(&thread->lock);
	until_us = thread->stop_us;
	pthread_mutex_unlock(&thread->lock);
	return until_us;
}

bool
store_thread_is_stuck(const struct store_thread *thread)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&thread->lock; /* a lock does not count as a change */
	int64_t until_us;

	pthread_mutex_lock(lock);
	until_us = thread->alive_until_us;
	pthread_mutex_unlock(lock);
	return clock_steady_us() > until_us;
}

/* ---- the thread ---- */

static int
open_store(struct store_thread *thread, struct error *err)
{
	if (thread->db != NULL)
		return 0;
	may_be_silent(thread, SILENT_OPENING_US);
	return db_open(&thread->db, thread->config, &thread->turn.env, err);
}

static int
turn(struct store_thread *thread, bool *worked, struct error *err)
{
	struct store_request *request;
	bool done = false;
	int rc = open_store(thread, err);

	if (rc != 0)
		return rc;
	pthread_mutex_lock(&thread->lock);
	request = thread->requests.first;
	pthread_mutex_unlock(&thread->lock);
	rc = store_duties_turn(thread->duties, thread->db, request, &done, worked, err);
	if (done) {
		pthread_mutex_lock(&thread->lock);
		store_requests_remove_first(&thread->requests);
		pthread_mutex_unlock(&thread->lock);
	}
	return rc;
}

/* Logs a failure. DB_BUSY counts as one only if it lasts. */
static void
report_result(struct store_thread *thread, int rc, const struct error *err)
{
	int64_t now_us = clock_steady_us();
	uint64_t times = rc == 0 ? repeat_over(&thread->failing, now_us) : repeat_met(&thread->failing, now_us);

	if (times > 0 && rc == 0)
		log_info("the store thread of a courier goes on", LOG_UINT("times", times));
	else if (times > 0)
		log_warning("the store thread of a courier cannot go on: outcomes of attempts wait",
		    LOG_STR("error", err->text), LOG_UINT("times", times));
	if (rc == 0) {
		backoff_reset(&thread->backoff);
		if (store_report_state(thread->report) == STORE_READY)
			return;
		store_report_set_error(thread->report, "");
		store_report_set_state(thread->report, STORE_READY);
	} else if (rc != DB_BUSY) {
		if (store_report_state(thread->report) != STORE_CONNECTING || thread->db != NULL)
			store_report_set_state(thread->report, STORE_UNAVAILABLE);
		store_report_set_error(thread->report, err->text);
	}
}

/* Sleeps until until_us at most. If interruptible, requests and wakes end the sleep. */
static void
sleep_until(struct store_thread *thread, int64_t until_us, bool interruptible, bool paced)
{
	const struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
	int rc = 0;

	may_be_silent(thread, (until_us > clock_steady_us() ? until_us - clock_steady_us() : 0) + SILENT_US);
	pthread_mutex_lock(&thread->lock);
	thread->paced = paced;
	while (rc == 0 && thread->stop_us == INT64_MAX && !(interruptible && thread->woken))
		rc = pthread_cond_clockwait(&thread->cond, &thread->lock, CLOCK_MONOTONIC, &until);
	thread->paced = false;
	pthread_mutex_unlock(&thread->lock);
}

static void
rest(struct store_thread *thread, int rc, bool worked)
{
	if (rc != 0) {
		sleep_until(
		    thread, clock_steady_us() + backoff_next_ms(&thread->backoff) * INT64_C(1000), false, false);
	} else if (!worked) {
		bool paced =
		    store_duties_outcomes_wait(thread->duties); /* asked first, so that a due time includes theirs */

		sleep_until(thread, store_duties_due_us(thread->duties), true, paced);
	}
}

/* Clears `woken`: a later wake makes the thread look again before it sleeps. */
static void
clear_woken(struct store_thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	thread->woken = false;
	pthread_mutex_unlock(&thread->lock);
}

/* Writes only outcomes until the time is over, at the end. */
static void
finish(struct store_thread *thread)
{
	struct error err;

	while (store_duties_outcomes_wait(thread->duties) && clock_steady_us() < stop_us(thread)) {
		beat(thread);
		int rc = open_store(thread, &err);
		if (rc == 0)
			rc = store_duties_write_outcomes(thread->duties, thread->db, &err);
		if (rc != 0) {
			const struct timespec pause = {.tv_nsec = RETRY_FIRST_MS * 1000000};

			report_result(thread, rc, &err);
			(void)nanosleep(&pause, NULL);
		}
	}
	if (thread->db != NULL && store_duties_leave(thread->duties, thread->db, &err) != 0)
		log_info("cannot record that this node stops", LOG_STR("error", err.text));
}

static void *
run(void *argument)
{
	struct store_thread *thread = argument;

	while (stop_us(thread) == INT64_MAX) {
		struct error err;
		bool worked = false;

		beat(thread);
		clear_woken(thread);
		int rc = turn(thread, &worked, &err);
		if (stop_us(thread) != INT64_MAX && rc != 0)
			break;
		if (rc != 0)
			store_duties_failed(thread->duties);
		report_result(thread, rc, &err);
		if (rc != 0 && rc != DB_BUSY)
			sandbox_end_if_stale();
		rest(thread, rc, worked);
	}
	finish(thread);
	db_close(thread->db);
	return NULL;
}

/* ---- the loop's thread ---- */

static struct store_request *
ask(struct store_thread *thread, enum store_request_kind kind, const char *tenant_id, const uint8_t *id)
{
	pthread_mutex_lock(&thread->lock);
	return store_requests_add(&thread->requests, kind, tenant_id, id);
}

static void
asked(struct store_thread *thread)
{
	thread->woken = true;
	pthread_cond_signal(&thread->cond);
	pthread_mutex_unlock(&thread->lock);
}

void
store_thread_load_endpoint(struct store_thread *thread, const struct endpoint_name *name)
{
	(void)ask(thread, STORE_REQUEST_LOAD_ENDPOINT, name->tenant_id, name->endpoint_id);
	asked(thread);
}

void
store_thread_forget_endpoint(struct store_thread *thread, const struct endpoint_name *name)
{
	(void)ask(thread, STORE_REQUEST_FORGET_ENDPOINT, name->tenant_id, name->endpoint_id);
	asked(thread);
}

void
store_thread_write_breaker(struct store_thread *thread, const struct endpoint_name *name, enum breaker_state state)
{
	struct store_request *request = ask(thread, STORE_REQUEST_WRITE_BREAKER, name->tenant_id, name->endpoint_id);

	request->breaker = state;
	asked(thread);
}

void
store_thread_take_lease(struct store_thread *thread, const struct endpoint_name *name, uint32_t for_ms)
{
	struct store_request *request = ask(thread, STORE_REQUEST_TAKE_LEASE, name->tenant_id, name->endpoint_id);

	request->for_ms = for_ms;
	asked(thread);
}

void
store_thread_give_lease(struct store_thread *thread, const struct endpoint_name *name)
{
	(void)ask(thread, STORE_REQUEST_GIVE_LEASE, name->tenant_id, name->endpoint_id);
	asked(thread);
}

void
store_thread_write_test(
    struct store_thread *thread, const struct endpoint_name *name, const struct attempt_result *result)
{
	struct store_request *request = ask(thread, STORE_REQUEST_WRITE_TEST, name->tenant_id, name->endpoint_id);

	request->result = mem_new(1, sizeof *request->result);
	*request->result = *result;
	asked(thread);
}

void
store_thread_load_transform(struct store_thread *thread, const char *tenant_id, const uint8_t transform_id[16])
{
	(void)ask(thread, STORE_REQUEST_LOAD_TRANSFORM, tenant_id, transform_id);
	asked(thread);
}

void
store_thread_read_page(struct store_thread *thread, const struct endpoint_name *name, const struct page_query *query)
{
	struct store_request *request = ask(thread, STORE_REQUEST_READ_PAGE, name->tenant_id, name->endpoint_id);

	request->page = *query;
	asked(thread);
}

void
store_thread_scan(struct store_thread *thread)
{
	(void)ask(thread, STORE_REQUEST_SCAN, "", NULL);
	asked(thread);
}

void
store_thread_wake(struct store_thread *thread, bool now)
{
	pthread_mutex_lock(&thread->lock);
	if (!thread->woken && (now || !thread->paced)) {
		thread->woken = true;
		pthread_cond_signal(&thread->cond);
	}
	pthread_mutex_unlock(&thread->lock);
}

struct message *
store_thread_take_message(struct store_thread *thread)
{
	return message_queue_take(&thread->messages);
}

int
store_thread_fd(const struct store_thread *thread)
{
	return thread->messages.fd;
}

/* ---- life ---- */

static int
open_parts(struct store_thread *thread, uint32_t courier, struct error *err)
{
	struct courier_slot *slot = segment_courier(thread->segment, courier);

	thread->report = &slot->process.store;
	thread->lane = segment_lane(thread->segment, LANES_OUTCOMES, courier, courier);
	if (segment_map_arena(thread->segment, &thread->lane, err) != 0)
		return -1;
	if (message_queue_open(&thread->messages, err) != 0)
		return -1;
	if (db_turn_open(&thread->turn, thread->config, thread->segment, &slot->process, err) != 0)
		return -1;
	thread->turn.env.heartbeat_context = thread;
	thread->turn.env.heartbeat = beat;
	thread->turn.env.until_us = stop_us;
	thread->turn.env.session_context = &slot->process;
	thread->turn.env.session = session;
	thread->duties = store_duties_new(thread->config, thread->segment, courier, &thread->lane, &thread->messages);
	return 0;
}

static void
close_parts(struct store_thread *thread)
{
	store_duties_free(thread->duties);
	store_requests_clear(&thread->requests);
	db_turn_close(&thread->turn);
	message_queue_close(&thread->messages);
	(void)munmap(thread->lane.arena, 2 * thread->lane.arena_bytes);
	free(thread);
}

/* If this fails the courier ends, so nothing is closed here. */
int
store_thread_start(struct store_thread **out, const struct config *config, const struct segment *segment,
    uint32_t courier, struct error *err)
{
	struct store_thread *thread = mem_new(1, sizeof *thread);

	thread->config = config;
	thread->segment = segment;
	thread->backoff = (struct backoff){.first_ms = RETRY_FIRST_MS, .cap_ms = RETRY_MOST_MS};
	thread->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	thread->cond = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	store_requests_init(&thread->requests);
	thread->stop_us = INT64_MAX;
	thread->alive_until_us = clock_steady_us() + SILENT_US;
	if (open_parts(thread, courier, err) != 0) {
		free(thread);
		return -1;
	}
	errno = pthread_create(&thread->thread, NULL, run, thread);
	if (errno != 0) {
		(void)error_errno(err, "cannot start a thread");
		close_parts(thread);
		return -1;
	}
	*out = thread;
	return 0;
}

bool
store_thread_stop(struct store_thread *thread, int64_t until_us)
{
	const struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};

	pthread_mutex_lock(&thread->lock);
	thread->stop_us = until_us - END_US;
	pthread_cond_signal(&thread->cond);
	pthread_mutex_unlock(&thread->lock);
	if (pthread_clockjoin_np(thread->thread, NULL, CLOCK_MONOTONIC, &until) != 0)
		return false;
	close_parts(thread);
	return true;
}
