/*
 * Courier 0 keeps the node's row and publishes it by shm/node.h. It does so first in each turn: heartbeats must go on
 * even if outcomes cannot be written. No page is read before the predecessor's outcomes are written: the rows would be
 * outdated.
 */
#include "courier/store_duties.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "base/mem.h"
#include "courier/follower.h"
#include "courier/job_marker.h"
#include "courier/lease_store.h"
#include "courier/node_keeper.h"
#include "courier/outcome.h"
#include "courier/outcome_writer.h"
#include "courier/page_reader.h"
#include "courier/place_watch.h"
#include "courier/row_scan.h"
#include "courier/runs.h"
#include "courier/test_outcome.h"
#include "courier/transform_reader.h"
#include "shm/counters.h"
#include "store/db_refusal.h"

/*
 * The gap between two transactions of outcomes. Nobody waits for an outcome, and a transaction costs as much as twenty.
 * With a longer gap, rows of jobs that are done would fill more pages of the embedded store, which publishers write.
 */
#define OUTCOME_GAP_US (20 * 1000)
/* In distributed tables rows may appear without an announcement. */
#define SCAN_US (120 * INT64_C(1000000))
/* Other couriers wait for courier 0's claim. */
#define NODE_LOOK_US (50 * 1000)

struct store_duties {
	const struct segment *segment;
	uint32_t courier;
	struct message_queue *messages;
	struct runs *runs;
	struct outcome_writer *writer;
	struct job_marker marker;
	struct lease_store leases;
	struct follower *follower;
	struct node_keeper *keeper; /* NULL: not courier 0 */
	bool lane_was_empty; /* the predecessor's outcomes are written */
	int64_t outcomes_due_us; /* steady: when the next transaction of outcomes may begin */
	int64_t scan_us; /* steady: the next scan, if tables are distributed */
	bool looks_anew; /* the follower was asked to look anew after the node got its row */
	struct place_watch places;
	struct node_row node; /* the row sent as MESSAGE_STARTED; node_id 0: none */
};

struct store_duties *
store_duties_new(const struct config *config, const struct segment *segment, uint32_t courier, const struct lane *lane,
    struct message_queue *messages)
{
	struct store_duties *duties = mem_new(1, sizeof *duties);

	duties->segment = segment;
	duties->courier = courier;
	duties->messages = messages;
	duties->places = (struct place_watch){.segment = segment, .courier = courier, .messages = messages};
	duties->runs = runs_new();
	duties->leases = (struct lease_store){.messages = messages};
	duties->writer = outcome_writer_new(segment, courier, lane, duties->runs, messages);
	duties->follower = follower_new(config, segment, courier, messages, &duties->marker);
	if (courier == 0)
		duties->keeper = node_keeper_new(config, segment);
	return duties;
}

void
store_duties_free(struct store_duties *duties)
{
	if (duties->keeper != NULL)
		node_keeper_free(duties->keeper);
	follower_free(duties->follower);
	job_marker_clear(&duties->marker);
	outcome_writer_free(duties->writer);
	runs_free(duties->runs);
	free(duties);
}

static void
count(const struct store_duties *duties, enum counter counter)
{
	counter_add(&segment_courier(duties->segment, duties->courier)->process, counter, 1);
}

/* ---- outcomes ---- */

/*
 * How many outcomes can be written. They change only jobs of this node, so they wait until it has a row in
 * delivery_nodes. Outcomes from before another node adopted the row then change no job.
 */
static uint32_t
writable(const struct store_duties *duties)
{
	struct node_row row;

	return node_read(&duties->segment->header->node, &row) ? outcome_writer_waiting(duties->writer) : 0;
}

bool
store_duties_outcomes_wait(const struct store_duties *duties)
{
	return outcome_writer_waiting(duties->writer) > 0;
}

int
store_duties_write_outcomes(struct store_duties *duties, struct db *db, struct error *err)
{
	const struct node_words *node = &duties->segment->header->node;
	struct node_row row;
	struct message *message;
	uint32_t released;
	int rc = 0;

	if (!node_read(node, &row) && duties->keeper != NULL)
		rc = node_keeper_step(duties->keeper, db, err);
	if (rc == 0 && !node_read(node, &row)) {
		(void)error_set(err, "this node has no row in delivery_nodes yet");
		rc = DB_BUSY;
	}
	if (rc == 0) {
		/* If a power cut takes outcomes back, their jobs are attempted again. */
		db_sync_late(db, true);
		rc = outcome_writer_write(duties->writer, db, row.node_id, &released, err);
		db_sync_late(db, false);
	}

	count(duties, rc == 0 ? COUNTER_OUTCOMES_STORED : COUNTER_OUTCOMES_FAILED);
	if (rc != 0)
		return rc;
	message = message_new(MESSAGE_COMMITTED, NULL, NULL);
	message->released = released;
	message_queue_put(duties->messages, message);
	return 0;
}

/* When to write outcomes; INT64_MAX: there are none. */
static int64_t
outcomes_due_us(const struct store_duties *duties)
{
	uint32_t waiting = writable(duties);

	return waiting == 0 ? INT64_MAX : waiting >= OUTCOMES_SOON ? 0 : duties->outcomes_due_us;
}

static int
write_outcomes(struct store_duties *duties, struct db *db, bool *worked, struct error *err)
{
	int64_t now_us = clock_steady_us();
	int rc = 0;

	if (outcomes_due_us(duties) <= now_us) {
		*worked = true;
		duties->outcomes_due_us = now_us + OUTCOME_GAP_US;
		rc = store_duties_write_outcomes(duties, db, err);
	}
	if (rc == 0 && outcome_writer_waiting(duties->writer) == 0)
		duties->lane_was_empty = true;
	return rc;
}

/* ---- the node ---- */

void
store_duties_failed(const struct store_duties *duties)
{
	if (duties->keeper != NULL)
		node_keeper_failed(duties->keeper);
}

static int
keep_node(struct store_duties *duties, struct db *db, bool *worked, struct error *err)
{
	if (duties->keeper == NULL || clock_steady_us() < node_keeper_due_us(duties->keeper))
		return 0;
	*worked = true;
	return node_keeper_step(duties->keeper, db, err);
}

/*
 * Whether the pauses are known: a pause that began before the node got its row, or during the claim, must hold from the
 * first attempt on.
 */
static bool
knows_pauses(struct store_duties *duties)
{
	if (!duties->looks_anew)
		follower_look_anew(duties->follower);
	duties->looks_anew = true;
	return follower_has_looked(duties->follower);
}

static int
send_node(struct store_duties *duties, struct db *db, bool *worked, struct error *err)
{
	struct node_row row = {0};
	bool exists = node_read(&duties->segment->header->node, &row);

	(void)db, (void)err;
	if (!exists)
		duties->looks_anew = false;
	if (duties->node.node_id != 0 &&
	    (!exists || row.node_id != duties->node.node_id || row.epoch != duties->node.epoch)) {
		message_queue_put(duties->messages, message_new(MESSAGE_NODE_LOST, NULL, NULL));
		duties->node = (struct node_row){0};
		duties->looks_anew = false;
		*worked = true;
	}
	if (exists && duties->node.node_id == 0 && duties->lane_was_empty && knows_pauses(duties)) {
		struct message *message = message_new(MESSAGE_STARTED, NULL, NULL);

		message->epoch = row.epoch;
		message_queue_put(duties->messages, message);
		duties->node = row;
		*worked = true;
	}
	return 0;
}

/* A restarted node leaves its row too, and claims it again a moment later. */
int
store_duties_leave(struct store_duties *duties, struct db *db, struct error *err)
{
	if (duties->keeper == NULL || !segment_draining(duties->segment->header))
		return 0;
	return node_keeper_leave(duties->keeper, db, err);
}

/* ---- changes, and what follows from them ---- */

static int
follow(struct store_duties *duties, struct db *db, bool *worked, struct error *err)
{
	if (clock_steady_us() < follower_due_us(duties->follower))
		return 0;
	*worked = true;
	return follower_step(duties->follower, db, err);
}

static int
mark_jobs(struct store_duties *duties, struct db *db, bool *worked, struct error *err)
{
	if (duties->node.node_id == 0 || !job_marker_has_work(&duties->marker))
		return 0;
	*worked = true;
	return job_marker_step(&duties->marker, db, duties->node.node_id, err);
}

static int64_t
places_due_us(const struct store_duties *duties)
{
	return place_watch_due_us(&duties->places, duties->node.node_id, follower_knows_fifo(duties->follower));
}

static int
look_for_places(struct store_duties *duties, struct db *db, bool *worked, struct error *err)
{
	if (clock_steady_us() < places_due_us(duties))
		return 0;
	*worked = true;
	return place_watch_look(&duties->places, db, duties->node.node_id, err);
}

static int
write_runs(struct store_duties *duties, struct db *db, bool *worked, struct error *err)
{
	int64_t now_us = clock_steady_us();

	if (now_us < runs_due_us(duties->runs))
		return 0;
	*worked = true;
	return runs_write(duties->runs, db, now_us, err);
}

/*
 * Scans distributed tables now and then. If a node of the store dies during a commit, its rows appear up to a
 * minute later: a page did not have them although the publisher had announced the jobs.
 */
static int
look_for_rows(struct store_duties *duties, struct db *db, bool *worked, struct error *err)
{
	int64_t now_us = clock_steady_us();

	(void)worked, (void)err;
	if (!db_distributed(db) || now_us < duties->scan_us)
		return 0;
	duties->scan_us = now_us + SCAN_US;
	courier_add_missed(segment_courier(duties->segment, duties->courier));
	return 0;
}

/* ---- requests ---- */

/*
 * Makes a page without rows: one endpoint's rows must not delay the others. late: too many dead rows made the read time
 * out.
 */
static struct message *
unreadable_page(const struct store_request *request, bool late, const struct error *why)
{
	struct message *page = message_new(MESSAGE_PAGE, request->tenant_id, request->id);
	char id[FORMAT_UUID_BYTES + 1] = "";

	format_uuid(request->id, id);
	if (late)
		log_warning("the jobs of an endpoint could not be read in time: they wait", LOG_STR("endpoint_id", id),
		    LOG_STR("error", why->text));
	else
		log_warning("the jobs of an endpoint cannot be read as they are stored: they wait",
		    LOG_STR("endpoint_id", id), LOG_STR("error", why->text));
	page->unreadable = true;
	page->fifo = request->page.fifo;
	return page;
}

/*
 * Reports the marks of a page. Rows by place are no range of ids, so all of them are marked again, unless that is under
 * way.
 */
static void
note_marks(struct store_duties *duties, const struct store_request *request, const struct page_marks *marks)
{
	static const uint8_t first[16];

	if (!request->page.fifo)
		follower_note_page(duties->follower, request->id, request->page.after, marks);
	else if (!job_marker_has(&duties->marker, request->id))
		follower_note_page(duties->follower, request->id, first, marks);
}

/* Gives rows their places, a slice at a time, and then reads the page. */
static int
read_page(struct store_duties *duties, struct db *db, struct store_request *request, bool *done, struct error *err)
{
	const struct page_spec spec = {.tenant_id = request->tenant_id,
	    .endpoint_id = request->id,
	    .node_id = duties->node.node_id,
	    .query = &request->page};
	struct page_marks marks;
	struct message *page;
	bool more;
	int64_t begun_us;
	int rc = page_place(db, &spec, request->page.placed, &more, err);

	if (rc == 0 && more)
		return 0;
	begun_us = clock_steady_us();
	if (rc == 0)
		rc = page_read(db, &spec, &page, &marks, err);
	count(duties, rc == 0 ? COUNTER_PAGES_READ : COUNTER_PAGES_FAILED);
	/* DB_BUSY: the endpoint's places are locked. */
	if (rc == DB_REFUSED || rc == DB_BUSY || (rc < 0 && db_timed_out(db)))
		page = unreadable_page(request, rc != DB_REFUSED, err);
	else if (rc != 0)
		return rc;
	else
		note_marks(duties, request, &marks);
	page->took_us = clock_steady_us() - begun_us;
	message_queue_put(duties->messages, page);
	*done = true;
	return 0;
}

static void
send_row(void *context, const char *tenant_id, const uint8_t endpoint_id[16])
{
	struct store_duties *duties = context;
	struct message *message;

	if (follower_has_paused(duties->follower, tenant_id)) {
		job_marker_add_paused(&duties->marker, tenant_id, endpoint_id);
		return;
	}
	message = message_new(MESSAGE_HAS_ROWS, tenant_id, endpoint_id);
	message->by_scan = true;
	message_queue_put(duties->messages, message);
}

/* Scans a slice. The request remembers the place. */
static int
step_scan(struct store_duties *duties, struct db *db, struct store_request *request, bool *done, struct error *err)
{
	struct row_scan scan = {.segment = duties->segment,
	    .courier = duties->courier,
	    .found = send_row,
	    .context = duties,
	    .of_endpoints = request->of_endpoints,
	    .tenant_id = request->tenant_id};
	bool more = true;
	int rc;

	memcpy(scan.endpoint_id, request->id, sizeof scan.endpoint_id);
	rc = row_scan_step(&scan, db, &more, err);
	request->tenant_id = scan.tenant_id;
	request->of_endpoints = scan.of_endpoints;
	memcpy(request->id, scan.endpoint_id, sizeof request->id);
	*done = rc == 0 && !more;
	if (*done) {
		message_queue_put(duties->messages, message_new(MESSAGE_SCANNED, NULL, NULL));
		place_watch_look_anew(&duties->places);
	}
	return rc;
}

static int
fulfil(struct store_duties *duties, struct db *db, struct store_request *request, bool *done, struct error *err)
{
	int rc = 0;

	switch (request->kind) {
	case STORE_REQUEST_LOAD_ENDPOINT:
		rc = follower_load(duties->follower, db, request->tenant_id, request->id, err);
		break;
	case STORE_REQUEST_FORGET_ENDPOINT:
		follower_forget(duties->follower, request->id);
		break;
	case STORE_REQUEST_WRITE_BREAKER:
		runs_note_breaker(duties->runs, request->tenant_id, request->id, request->breaker);
		break;
	case STORE_REQUEST_WRITE_TEST:
		rc = test_outcome_write(db, request->tenant_id, request->id, request->result, err);
		break;
	case STORE_REQUEST_TAKE_LEASE:
		rc = lease_store_take(&duties->leases, db, request, duties->node.epoch, err);
		break;
	case STORE_REQUEST_GIVE_LEASE:
		rc = lease_store_give(&duties->leases, db, request, duties->node.epoch, err);
		break;
	case STORE_REQUEST_LOAD_TRANSFORM:
		rc = transform_read(duties->messages, db, request->tenant_id, request->id, err);
		break;
	case STORE_REQUEST_READ_PAGE:
		return read_page(duties, db, request, done, err);
	case STORE_REQUEST_SCAN:
		return step_scan(duties, db, request, done, err);
	}
	*done = rc == 0;
	return rc;
}

/* ---- the turn ---- */

bool
store_duties_take_requests(const struct store_duties *duties)
{
	return duties->node.node_id != 0;
}

int
store_duties_turn(struct store_duties *duties, struct db *db, struct store_request *request, bool *done, bool *worked,
    struct error *err)
{
	static int (*const parts[])(struct store_duties * duties, struct db * db, bool *worked, struct error *err) = {
	    keep_node, write_outcomes, follow, send_node, mark_jobs, look_for_places, write_runs, look_for_rows};
	int rc = 0;

	*done = *worked = false;
	for (size_t i = 0; rc == 0 && i < sizeof parts / sizeof *parts; i++)
		rc = parts[i](duties, db, worked, err);
	if (rc != 0 || request == NULL || !store_duties_take_requests(duties))
		return rc;
	*worked = true;
	return fulfil(duties, db, request, done, err);
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
store_duties_due_us(const struct store_duties *duties)
{
	int64_t node_us = duties->keeper != NULL      ? node_keeper_due_us(duties->keeper)
			  : duties->node.node_id == 0 ? clock_steady_us() + NODE_LOOK_US
						      : INT64_MAX;
	int64_t due_us = earlier(follower_due_us(duties->follower), runs_due_us(duties->runs));

	return earlier(earlier(due_us, node_us), earlier(places_due_us(duties), outcomes_due_us(duties)));
}
