/* Each thread: take a call, open the store if there is no connection, run the handler, give the call back. */
#include "control/workers.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "control/dispatch.h"
#include "store/webhooks/upkeep_rows.h"
#include "store/webhooks_store.h"

#define RETRY_AFTER_SECONDS 1
/* A worker whose connection the store has refused leaves calls to the others for this long. */
#define REST_US (1000 * 1000)
#define REST_LOOK_MS 50

struct worker {
	struct workers *workers;
	struct db *db; /* NULL: not open */
	int64_t rests_until_us; /* steady */
};

static void
close_store(struct worker *worker)
{
	if (worker->db == NULL)
		return;
	db_close(worker->db);
	worker->db = NULL;
	store_gate_closed(&worker->workers->gate);
}

static void
lose_store(struct worker *worker, const struct error *err)
{
	close_store(worker);
	store_gate_failed(&worker->workers->gate, err);
}

/*
 * Opens the store. Makes the row of the start keys' tenant before this process first reports the store as reached:
 * publishers know no tenant without a row. 0; otherwise worker->db is NULL.
 */
static int
open_store(struct worker *worker, struct error *err)
{
	const struct control_context *context = &worker->workers->context;
	int rc = db_open(&worker->db, context->config, context->env, err);

	if (rc != 0)
		sandbox_end_if_stale();
	if (rc == 0 && config_api_is_on(context->config) &&
	    store_report_state(&context->slot->store) == STORE_CONNECTING) {
		rc = upkeep_ensure_tenant(worker->db, context->config->hl_tenant_id, err);
		if (rc != 0)
			db_close(worker->db);
	}
	if (rc != 0)
		worker->db = NULL;
	return rc;
}

/* Who can answer the worker's calls: nobody, itself, or the workers that have connections. */
enum store_place { STORE_AWAY, STORE_HERE, STORE_ELSEWHERE };

/* Finds out, as far as known. May take seconds; waits for another worker's result until until_us. */
static enum store_place
find_store(struct worker *worker, int64_t until_us)
{
	struct store_gate *gate = &worker->workers->gate;
	struct error err;

	switch (store_gate_ask(gate, until_us)) {
	case STORE_GATE_SHUT:
		return STORE_AWAY;
	case STORE_GATE_OPEN:
		if (worker->db != NULL)
			return STORE_HERE;
		break;
	case STORE_GATE_TRY:
		close_store(worker);
		break;
	}
	if (open_store(worker, &err) == 0) {
		store_gate_worked(gate);
		return STORE_HERE;
	}
	if (!store_gate_refused(gate, &err))
		return STORE_AWAY;
	worker->rests_until_us = clock_steady_us() + REST_US;
	return STORE_ELSEWHERE;
}

static const char *
text_of(struct span text)
{
	return text.base != NULL ? text.base : "";
}

static void
answer_busy(struct reply *reply, const char *code, const char *text)
{
	reply->retry_after_seconds = RETRY_AFTER_SECONDS;
	answer_error(reply, 503, code, "%s", text);
}

/* db NULL: of a call that needs no store. */
static void
run_handler(const struct workers *workers, struct db *db, struct call *call)
{
	const struct frame_request *from = &call->request;
	const struct request request = {
	    .operation = from->operation,
	    .params = {from->params[0], from->params[1]},
	    .query = from->query,
	    .body = {call->body.base, call->body.len},
	    .if_match = from->if_match,
	    .idempotency_key = from->idempotency_key,
	    .last_event_id = from->last_event_id,
	    .base_url = text_of(from->base_url),
	    .caller =
		{
		    .tenant_id = text_of(from->caller.tenant_id),
		    .key_id = text_of(from->caller.key_id),
		    .key_name = text_of(from->caller.key_name),
		    .scopes = from->caller.scopes,
		    .is_start_key = from->caller.is_start_key,
		},
	    .deadline_us = call->deadline_us,
	    .db = db,
	    .context = &workers->context,
	};

	if (db != NULL)
		db_set_deadline(db, call->deadline_us);
	dispatch(&request, &call->reply);
}

/* false: the call is in the queue again, for another worker. */
static bool
answer(struct worker *worker, struct call *call)
{
	enum store_place place = find_store(worker, call->deadline_us);

	if (place == STORE_ELSEWHERE && call_queue_put(&worker->workers->queue, call))
		return false;
	if (place != STORE_HERE)
		answer_busy(&call->reply, "store_unavailable",
		    "The store of the management API is not there; nothing was changed, try again");
	else if (clock_steady_us() >= call->deadline_us)
		answer_busy(&call->reply, "overloaded",
		    "The request has waited too long for its turn; nothing was changed, try again");
	else
		run_handler(worker->workers, worker->db, call);
	if (call->reply.store_lost)
		lose_store(worker, &call->reply.store_error);
	return true;
}

static void
give_back(void *context, struct call *call)
{
	struct workers *workers = context;

	(void)call_queue_put(&workers->done, call);
	(void)!write(workers->done_fd, &(uint64_t){1}, sizeof(uint64_t));
}

/* The thread's function. */
static void *
work(void *argument)
{
	struct worker worker = {.workers = argument};
	struct workers *workers = worker.workers;

	while (!call_queue_closed(&workers->queue)) {
		struct call *call;

		if (clock_steady_us() < worker.rests_until_us) {
			(void)nanosleep(&(struct timespec){.tv_nsec = REST_LOOK_MS * 1000 * 1000}, NULL);
			continue;
		}
		call = call_queue_take(&workers->queue, store_gate_try_at(&workers->gate));
		if (call == NULL) {
			if (!call_queue_closed(&workers->queue))
				(void)find_store(&worker, clock_steady_us());
		} else if (answer(&worker, call)) {
			if (call->reply.status == 0)
				test_waits_add(&workers->tests, call);
			else
				give_back(workers, call);
		}
	}
	close_store(&worker);
	return NULL;
}

int
workers_start(struct workers *workers, const struct control_context *context, struct error *err)
{
	workers->context = *context;
	workers->count = 0;
	call_queue_init(&workers->queue, WORKERS_QUEUE_MAX);
	call_queue_init(&workers->done, UINT32_MAX);
	store_gate_init(&workers->gate, &context->slot->store);
	workers->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (workers->done_fd < 0)
		return error_errno(err, "cannot make an eventfd");
	if (!config_api_is_on(context->config))
		return 0;
	workers->context.tests = &workers->tests;
	workers->tests = (struct test_waits){.config = context->config,
	    .segment = context->segment,
	    .env = context->env,
	    .done = give_back,
	    .context = workers};
	if (test_waits_start(&workers->tests, err) != 0)
		return -1;
	for (; workers->count < WORKERS; workers->count++) {
		errno = pthread_create(&workers->threads[workers->count], NULL, work, workers);
		if (errno != 0)
			return error_errno(err, "cannot start a thread");
	}
	return 0;
}

/* A stream needs no store, and so waits for none. */
bool
workers_give(struct workers *workers, struct call *call)
{
	if (!operation_is_stream(call->request.operation) || workers->context.streams == NULL)
		return call_queue_put(&workers->queue, call);
	run_handler(workers, NULL, call);
	give_back(workers, call);
	return true;
}

bool
workers_take_back(struct workers *workers, struct call *call)
{
	return call_queue_remove(&workers->queue, call);
}

struct call *
workers_done(struct workers *workers)
{
	struct call *call = call_queue_take(&workers->done, 0);
	uint64_t count;

	if (call != NULL)
		return call;
	(void)!read(workers->done_fd, &count, sizeof count);
	return call_queue_take(&workers->done, 0); /* a call may have been given between the two calls above */
}

void
workers_end_tests(struct workers *workers)
{
	if (workers->count > 0)
		test_waits_end(&workers->tests);
}

bool
workers_stop(struct workers *workers, int64_t until_us)
{
	const struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};

	call_queue_close(&workers->queue);
	for (uint32_t i = 0; i < workers->count; i++)
		if (pthread_clockjoin_np(workers->threads[i], NULL, CLOCK_MONOTONIC, &until) != 0)
			return false;
	if (workers->count > 0 && !test_waits_stop(&workers->tests, until_us))
		return false;
	close(workers->done_fd);
	return true;
}
