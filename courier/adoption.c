/*
 * A transaction of the lost node may have passed its check before the adoption and commit after a pass: that pass does
 * not see its jobs. So passes repeat, at least once, until one begins after the last such transaction has ended. That
 * pass removes the adopted row, which frees its number.
 */
#include "courier/adoption.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "shm/counters.h"
#include "store/webhooks/fifo_heads.h"
#include "store/webhooks/job_outcomes.h"

#define BEAT_MOST_US (5 * INT64_C(1000000))
#define LEFT_MS 9000 /* after a node has left: its other processes end within 8 s of the first one */
#define SLICE_MOST 2000u /* rows of jobs */
#define SLICE_LEAST 50u
#define WAKE_EACH_US (5 * INT64_C(1000000)) /* least time between two scans of couriers */
#define BLOCKED_AGAIN_US (1 * INT64_C(1000000))
#define FAILED_AGAIN_US (5 * INT64_C(1000000))
#define ORDERS_AT_ONCE 100u
#define AGAIN_TIMES 3 /* STORE_TIMEOUT_MS between two passes; a transaction of a publisher lasts one at most */

static int64_t
timeout_us(const struct config *config)
{
	return config->hl_node_timeout_secs * INT64_C(1000000);
}

int64_t
adoption_heartbeat_us(const struct config *config)
{
	int64_t sixth_us = timeout_us(config) / 6;

	return sixth_us < BEAT_MOST_US ? sixth_us : BEAT_MOST_US;
}

int64_t
adoption_attempts_us(const struct config *config)
{
	return timeout_us(config) / 3 * 2;
}

void
adoption_open(struct adoption *adoption, const struct config *config, const struct segment *segment)
{
	*adoption = (struct adoption){
	    .config = config, .segment = segment, .mark = -1, .place = {.rows = SLICE_MOST}, .orders = ORDERS_AT_ONCE};
}

static void
count(const struct adoption *adoption, enum counter counter, uint64_t number)
{
	counter_add(&segment_courier(adoption->segment, 0)->process, counter, number);
}

/* ---- nodes ---- */

/*
 * Neither clock may show a gap. If somebody sets the database's clock, each node seems silent until its next heartbeat.
 */
static void
note_heartbeat(struct adoption *adoption, int64_t alive_ms, int64_t sent_us)
{
	int64_t most_us = timeout_us(adoption->config) / 3, gap_us = (alive_ms - adoption->alive_ms) * 1000;

	if (adoption->alive_ms == 0 || sent_us - adoption->heartbeat_us > most_us || gap_us > most_us || gap_us < 0)
		adoption->run_us = sent_us;
	adoption->heartbeat_us = sent_us;
	adoption->alive_ms = alive_ms;
}

static void
log_adopted(const struct adoption *adoption, const struct db_rows *adopted)
{
	for (uint32_t i = 0; i < db_rows_count(adopted); i++) {
		bool left = db_rows_bool(adopted, i, 2);

		count(adoption, left ? COUNTER_LEFT_NODES_ADOPTED : COUNTER_SILENT_NODES_ADOPTED, 1);
		if (left)
			log_info("this node takes over the jobs of a node that has stopped",
			    LOG_INT("node_id", db_rows_int(adopted, i, 0)),
			    LOG_STR("name", db_rows_text(adopted, i, 1).base));
		else
			log_warning("a node is silent: this node takes over its jobs",
			    LOG_INT("node_id", db_rows_int(adopted, i, 0)),
			    LOG_STR("name", db_rows_text(adopted, i, 1).base));
	}
}

static void
log_blocked(struct adoption *adoption, const char *why)
{
	uint64_t times = repeat_met(&adoption->blocked, clock_steady_us());

	if (times > 0)
		log_warning("another session blocks taking over the jobs of a node", LOG_STR("error", why),
		    LOG_UINT("times", times));
}

static void
log_failed(struct adoption *adoption, const struct error *err)
{
	uint64_t times = repeat_met(&adoption->failing, clock_steady_us());

	if (times > 0)
		log_warning("the jobs of another node cannot be taken over: it is tried again",
		    LOG_STR("error", err->text), LOG_UINT("times", times));
}

static void
log_over(struct adoption *adoption)
{
	int64_t now_us = clock_steady_us();
	uint64_t times = repeat_over(&adoption->blocked, now_us) + repeat_over(&adoption->failing, now_us);

	if (times > 0)
		log_info("taking over jobs goes on", LOG_UINT("times", times));
}

static void
begin_anew(struct adoption *adoption)
{
	adoption->state = ADOPTION_RESTS;
	adoption->next_us = 0;
	adoption->passes = 0;
	adoption->mark = -1;
}

/*
 * Ends the sessions of silent nodes: their transactions may hold locks that adoption needs. The role may lack the
 * right.
 */
static void
end_sessions(
    const struct adoption *adoption, struct db *db, const struct node_row *row, const struct adoption_terms *terms)
{
	struct error err;
	int64_t ended = 0;

	if (terms->silent_ms == 0 || adoption->config->hl_store != HL_STORE_POSTGRES)
		return;
	if (adoption_end_sessions(db, row, terms, &ended, &err) != 0)
		log_info("sessions of silent nodes cannot be ended", LOG_STR("error", err.text));
	else if (ended > 0)
		log_info("sessions of silent nodes are ended: they stood still within a transaction",
		    LOG_INT("sessions", ended));
}

/* Adopts the nodes that are gone, but not those whose rows are locked. */
static int
adopt(struct adoption *adoption, struct db *db, const struct node_row *row, const struct node_heartbeat *beat,
    const struct adoption_terms *terms, struct error *err) /* six: as adoption_after_heartbeat() */
{
	struct db_rows *adopted = NULL;
	int rc = adoption_adopt(db, row, beat, terms, &adopted, err);
	bool any = db_rows_count(adopted) > 0;

	if (rc == DB_BUSY)
		log_blocked(adoption, err->text);
	else if (rc > 0)
		log_failed(adoption, err);
	if (rc != 0) {
		adoption->in_doubt = rc < 0;
		return rc < 0 ? rc : 0;
	}
	/* The first time another node may have adopted it. The second time its row must be locked. */
	if (!any && adoption->any_unadopted)
		log_blocked(adoption, "its row in delivery_nodes is locked");
	adoption->any_unadopted = !any;
	if (any) {
		log_adopted(adoption, adopted);
		begin_anew(adoption);
	}
	db_rows_free(adopted);
	return 0;
}

int
adoption_after_heartbeat(struct adoption *adoption, struct db *db, const struct node_row *row,
    const struct node_heartbeat *beat, const struct node_heartbeat_result *result, int64_t sent_us, struct error *err)
{
	struct adoption_terms terms = {.left_ms = LEFT_MS};
	bool wanted = false;
	int rc;

	log_over(adoption);
	if (adoption->in_doubt)
		begin_anew(adoption);
	adoption->in_doubt = false;
	note_heartbeat(adoption, result->alive_ms, sent_us);
	if (sent_us - adoption->run_us >= timeout_us(adoption->config))
		terms.silent_ms = timeout_us(adoption->config) / 1000;
	rc = adoption_wanted(db, row, &terms, &wanted, err);
	if (rc == 0 && wanted) {
		end_sessions(adoption, db, row, &terms);
		return adopt(adoption, db, row, beat, &terms, err);
	}
	if (rc > 0)
		log_failed(adoption, err);
	adoption->any_unadopted = false;
	return rc < 0 ? rc : 0;
}

/* ---- jobs ---- */

/* Has each courier scan for endpoints that have rows. */
static void
wake_couriers(struct adoption *adoption, int64_t now_us)
{
	for (uint32_t i = 0; i < adoption->segment->counts[ROLE_COURIER]; i++)
		courier_add_missed(segment_courier(adoption->segment, i));
	segment_wake_all(adoption->segment, ROLE_COURIER);
	adoption->unseen = 0;
	adoption->woken_us = now_us;
}

static void
rest(struct adoption *adoption, int64_t now_us)
{
	adoption->state = ADOPTION_RESTS;
	adoption->next_us = now_us + AGAIN_TIMES * adoption->config->store_timeout_ms * INT64_C(1000);
}

static int
begin_pass(struct adoption *adoption, struct db *db, const struct node_row *row, struct error *err)
{
	int64_t ended, next;
	bool unfinished;
	int rc = adoption_unfinished(db, row->node_id, &unfinished, err);

	if (rc == 0 && !unfinished) {
		adoption->next_us = INT64_MAX;
		return 0;
	}
	if (rc == 0)
		rc = adoption_horizon(db, &ended, &next, err);
	if (rc != 0)
		return rc;
	if (adoption->mark < 0)
		adoption->mark = next;
	adoption->last = adoption->passes > 0 && ended >= adoption->mark;
	if (adoption->passes > 1 && !adoption->last) {
		rest(adoption, clock_steady_us());
		return 0;
	}
	adoption->state = ADOPTION_MOVES;
	adoption->place = (struct adoption_place){.rows = adoption->place.rows, .tenant_id = ""};
	adoption->moved = 0;
	adoption->woken_us = clock_steady_us();
	adoption->next_us = 0;
	return 0;
}

/* While an adoption is in doubt no row is removed: this pass may not have moved that node's jobs. */
static int
end_pass(struct adoption *adoption, struct db *db, const struct node_row *row, struct error *err)
{
	int rc;

	adoption->last = adoption->last && !adoption->in_doubt;
	rc = adoption->last ? adoption_remove(db, row, err) : 0;
	if (rc != 0)
		return rc;
	if (adoption->moved > 0)
		log_info("jobs of other nodes are this node's now", LOG_UINT("jobs", adoption->moved));
	adoption->passes++;
	rest(adoption, clock_steady_us());
	if (adoption->last)
		adoption->next_us = INT64_MAX;
	return 0;
}

/* Halves the slice after a failure, which may be a timeout, and doubles it after a success. */
static void
fit_slice(struct adoption_place *place, int rc)
{
	if (rc < 0 && place->rows > SLICE_LEAST)
		place->rows /= 2;
	else if (rc == 0 && place->rows < SLICE_MOST)
		place->rows *= 2;
	if (place->rows > SLICE_MOST)
		place->rows = SLICE_MOST;
}

/*
 * The end of a pass wakes the couriers even when the pass has moved nothing: a slice whose commit was in doubt, or the
 * pass of a process that died, may have moved jobs that no courier knows of.
 */
static int
move_slice(struct adoption *adoption, struct db *db, const struct node_row *row, struct error *err)
{
	int64_t now_us;
	uint32_t moved = 0;
	bool ends = false;
	int rc = adoption_move(db, row->node_id, &adoption->place, &moved, &ends, err);

	fit_slice(&adoption->place, rc);
	if (rc != 0)
		return rc;
	now_us = clock_steady_us();
	adoption->moved += moved;
	adoption->unseen += moved;
	count(adoption, COUNTER_JOBS_ADOPTED, moved);
	if (ends || (adoption->unseen > 0 && now_us - adoption->woken_us >= WAKE_EACH_US))
		wake_couriers(adoption, now_us);
	if (ends)
		adoption->state = ADOPTION_SENDS;
	return 0;
}

/*
 * Lets this node send the orders of the lost one. No job of an order is sent before all jobs are moved: a later job may
 * have been moved before an earlier one. STORE_TIMEOUT_MS is enough for a few long orders only, so a failure halves the
 * number.
 */
static int
send_orders(struct adoption *adoption, struct db *db, const struct node_row *row, struct error *err)
{
	uint32_t moved = 0, most = adoption->orders;
	int rc = jobs_begin(db, err);

	if (rc == 0)
		rc = fifo_heads_adopt(db, row->node_id, most, &moved, err);
	rc = db_end(db, rc, err);
	if (rc == 0 && moved > 0)
		wake_couriers(adoption, clock_steady_us());
	if (rc < 0 && most > 1)
		adoption->orders = most / 2;
	return rc != 0 || moved == most ? rc : end_pass(adoption, db, row, err);
}

int64_t
adoption_due_us(const struct adoption *adoption)
{
	return adoption->next_us;
}

int
adoption_step(struct adoption *adoption, struct db *db, const struct node_row *row, struct error *err)
{
	static int (*const steps[])(
	    struct adoption * adoption, struct db * db, const struct node_row *row, struct error *err) = {
	    [ADOPTION_RESTS] = begin_pass, [ADOPTION_MOVES] = move_slice, [ADOPTION_SENDS] = send_orders};
	int rc;

	if (clock_steady_us() < adoption->next_us)
		return 0;
	rc = steps[adoption->state](adoption, db, row, err);
	if (rc == 0)
		return 0;
	if (rc == DB_BUSY)
		log_blocked(adoption, err->text);
	else
		log_failed(adoption, err);
	adoption->next_us = clock_steady_us() + (rc == DB_BUSY ? BLOCKED_AGAIN_US : FAILED_AGAIN_US);
	return rc < 0 ? rc : 0;
}
