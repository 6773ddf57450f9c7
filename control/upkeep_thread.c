/* Each turn: open the store if necessary, do the duty, log a failure or its end, sleep. */
#include "control/upkeep_thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/repeat.h"
#include "store/store.h"
#include "store/webhooks_store.h"

#define TURN_US (500 * 1000)

struct upkeep_thread {
	struct upkeep_duty duty;
	struct db *db; /* NULL: not open */
	struct repeat failing;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	bool stopping, rung;
};

static int
turn(struct upkeep_thread *thread, struct error *err)
{
	const struct upkeep_duty *duty = &thread->duty;

	if (thread->db == NULL &&
	    (duty->of_events ? store_open_events : db_open)(&thread->db, duty->config, duty->env, err) != 0) {
		thread->db = NULL;
		return -1;
	}
	return duty->turn(duty->context, thread->db, err);
}

static void
log_result(struct upkeep_thread *thread, int rc, const struct error *err)
{
	int64_t now_us = clock_steady_us();
	uint64_t times = rc == 0 ? repeat_over(&thread->failing, now_us) : repeat_met(&thread->failing, now_us);

	if (times > 0 && rc != 0 && thread->duty.of_events)
		log_warning("streams cannot read the store of hook events", LOG_STR("error", err->text),
		    LOG_UINT("times", times));
	else if (times > 0 && thread->duty.of_events)
		log_info("streams read the store of hook events again", LOG_UINT("times", times));
	else if (times > 0 && rc == 0)
		log_info("the upkeep of the webhooks' store works again", LOG_STR("duty", thread->duty.name),
		    LOG_UINT("times", times));
	else if (times > 0)
		log_warning("the upkeep of the webhooks' store failed", LOG_STR("duty", thread->duty.name),
		    LOG_STR("error", err->text), LOG_UINT("times", times));
}

/* Sleeps for a period, or until upkeep_thread_ring(). false: the thread must end. */
static bool
sleep_a_turn(struct upkeep_thread *thread, bool failed)
{
	int64_t period_us = thread->duty.period_us != 0 && !failed ? thread->duty.period_us : TURN_US;
	int64_t until_us = clock_steady_us() + period_us;
	const struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
	bool stopping;

	pthread_mutex_lock(&thread->lock);
	if (!thread->stopping && !thread->rung)
		(void)pthread_cond_clockwait(&thread->wake, &thread->lock, CLOCK_MONOTONIC, &until);
	thread->rung = false;
	stopping = thread->stopping;
	pthread_mutex_unlock(&thread->lock);
	return !stopping;
}

static void *
run(void *argument)
{
	struct upkeep_thread *thread = argument;

	const struct upkeep_duty *duty = &thread->duty;
	bool failed;

	do {
		struct error err;
		bool needed = duty->is_needed == NULL || duty->is_needed(duty->context);
		int rc = needed ? turn(thread, &err) : 0;

		log_result(thread, rc, &err);
		if (rc < 0 || !needed) {
			db_close(thread->db);
			thread->db = NULL;
		}
		failed = rc < 0;
	} while (sleep_a_turn(thread, failed));
	db_close(thread->db);
	return NULL;
}

struct upkeep_thread *
upkeep_thread_start(const struct upkeep_duty *duty, struct error *err)
{
	struct upkeep_thread *thread = mem_new(1, sizeof *thread);

	thread->duty = *duty;
	thread->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	thread->wake = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	errno = pthread_create(&thread->thread, NULL, run, thread);
	if (errno == 0)
		return thread;
	(void)error_errno(err, "cannot start a thread");
	free(thread);
	return NULL;
}

void
upkeep_thread_ring(struct upkeep_thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	thread->rung = true;
	pthread_cond_signal(&thread->wake);
	pthread_mutex_unlock(&thread->lock);
}

bool
upkeep_thread_stop(struct upkeep_thread *thread, int64_t until_us)
{
	const struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};

	pthread_mutex_lock(&thread->lock);
	thread->stopping = true;
	pthread_cond_signal(&thread->wake);
	pthread_mutex_unlock(&thread->lock);
	if (pthread_clockjoin_np(thread->thread, NULL, CLOCK_MONOTONIC, &until) != 0)
		return false;
	free(thread);
	return true;
}
