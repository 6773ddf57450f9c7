/*
 * A claim is three steps: write the next epoch to the file, set it in the row, write it to the file as the only one. A
 * start that finds a file between the first and the third step asks which of the two epochs the row has. copy_guard.h
 * is asked before the claim: no courier of this node begins an attempt without the row.
 */
#include "courier/node_keeper.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "courier/adoption.h"
#include "courier/copy_guard.h"
#include "courier/node_file.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/node_rows.h"

/* How often to check whether couriers act by a newer version than the row says. Other nodes wait for that. */
#define LOOK_US (20 * 1000)
#define BEAT_AGAIN_US (1 * INT64_C(1000000)) /* wait after a failed heartbeat; other work goes on */
#define SESSIONS_BYTES (12 * (PUBLISHERS_MAX + COURIERS_MAX) + 3)

struct node_keeper {
	const struct config *config;
	const struct segment *segment;
	bool has_file; /* `file` is what the disk has */
	struct node_file file;
	int64_t beat_us; /* steady: the next heartbeat */
	int64_t not_before_us; /* steady: no heartbeat */
	int64_t row_version; /* seen_version of the row */
	int64_t heartbeat_boot_us; /* start of the last heartbeat that reached the store */
	int64_t needed_version; /* couriers must act by it before attempts go on; 0: they do */
	bool alone; /* at the last heartbeat */
	struct adoption adoption;
};

struct node_keeper *
node_keeper_new(const struct config *config, const struct segment *segment)
{
	struct node_keeper *keeper = mem_new(1, sizeof *keeper);

	keeper->config = config;
	keeper->segment = segment;
	adoption_open(&keeper->adoption, config, segment);
	return keeper;
}

void
node_keeper_free(struct node_keeper *keeper)
{
	free(keeper);
}

/*
 * The oldest version of changes by which a courier acts. A courier without a version has no jobs yet and will read the
 * newest one; so will the successor of a dead courier.
 */
static int64_t
least_seen(const struct node_keeper *keeper)
{
	int64_t least = INT64_MAX;

	for (uint32_t i = 0; i < keeper->segment->counts[ROLE_COURIER]; i++) {
		const struct courier_slot *courier = segment_courier(keeper->segment, i);
		int64_t version = courier_seen_version(courier);

		if (courier_can_begin(courier) && version > 0 && version < least)
			least = version;
	}
	return least != INT64_MAX ? least : keeper->row_version;
}

/* ---- the claim ---- */

static int
read_file(struct node_keeper *keeper, struct error *err)
{
	int rc = node_file_read(keeper->config->data_dir, &keeper->file, err);

	if (rc == NODE_FILE_NONE)
		keeper->file = (struct node_file){0};
	keeper->has_file = rc >= 0;
	return rc < 0 ? rc : 0;
}

static int
write_file(struct node_keeper *keeper, const struct node_file *file, struct error *err)
{
	int rc = node_file_write(keeper->config->data_dir, file, err);

	keeper->has_file = rc == 0;
	if (rc == 0)
		keeper->file = *file;
	return rc;
}

static int64_t
timeout_ms(const struct node_keeper *keeper)
{
	return keeper->config->hl_node_timeout_secs * INT64_C(1000);
}

/* After an unfinished claim: finds out which epoch the row has. */
static int
find_epoch(struct node_keeper *keeper, struct db *db, int64_t version, struct error *err)
{
	const struct node_row next = {.node_id = keeper->file.node_id, .epoch = keeper->file.next_epoch};
	const struct node_heartbeat beat = {.seen_version = version, .timeout_ms = timeout_ms(keeper)};
	struct node_heartbeat_result result = {.ours = false};
	int64_t node_id = next.node_id;
	int rc;

	if (node_id == 0) {
		rc = node_rows_find(db, next.epoch, &node_id, err);
		result.ours = node_id != 0;
	} else {
		rc = node_rows_heartbeat(db, &next, &beat, &result, err);
	}
	if (rc == 0 && result.ours)
		keeper->file = (struct node_file){node_id, next.epoch, next.epoch};
	return rc;
}

static int64_t
new_epoch(void)
{
	uint64_t number;

	crypto_random(&number, sizeof number);
	return (int64_t)(number >> 2) + 1;
}

/*
 * Steps of the claim. If the node gets a new number, jobs that were handed over before are left in their rows: these
 * may be another node's.
 */
static int
swap_epoch(struct node_keeper *keeper, struct db *db, int64_t version, struct node_row *row, struct error *err)
{
	struct node_file file = keeper->file;
	char host[256] = "";
	bool fresh;
	int rc;

	file.next_epoch = new_epoch();
	rc = write_file(keeper, &file, err);
	if (rc != 0)
		return rc;
	(void)gethostname(host, sizeof host - 1);
	const struct node_claim claim = {.node_id = file.node_id,
	    .epoch = file.epoch,
	    .other_epoch = file.epoch,
	    .next_epoch = file.next_epoch,
	    .name = host,
	    .seen_version = version,
	    .timeout_ms = timeout_ms(keeper)};
	rc = node_rows_claim(db, &claim, row, &fresh, err);
	if (rc != 0)
		return rc;
	if (fresh)
		node_set_since_us(&keeper->segment->header->node, clock_boot_us());
	file = (struct node_file){.node_id = row->node_id, .epoch = row->epoch, .next_epoch = row->epoch};
	return write_file(keeper, &file, err);
}

/* Extends the time for attempts after a heartbeat that began at sent_boot_us (CLOCK_BOOTTIME) and reached the store. */
static void
set_attempts_until(const struct node_keeper *keeper, int64_t sent_boot_us)
{
	struct node_words *words = &keeper->segment->header->node;
	bool stopped = clock_boot_us() >= node_attempts_until_us(words);
	bool others = keeper->config->hl_store == HL_STORE_POSTGRES;

	node_set_attempts_until_us(words, others ? sent_boot_us + adoption_attempts_us(keeper->config) : INT64_MAX);
	if (stopped)
		segment_wake_all(keeper->segment, ROLE_COURIER);
}

void
node_keeper_failed(const struct node_keeper *keeper)
{
	int64_t boot_us = clock_boot_us();

	if (keeper->alone && boot_us < node_attempts_until_us(&keeper->segment->header->node))
		set_attempts_until(keeper, boot_us);
}

/* Records that a heartbeat or the claim has reached the store. */
static void
note_heartbeat(struct node_keeper *keeper, int64_t boot_us)
{
	keeper->heartbeat_boot_us = boot_us;
	node_set_heartbeat_us(&keeper->segment->header->node, boot_us);
}

static int
claim(struct node_keeper *keeper, struct db *db, struct error *err)
{
	struct node_row row;
	int64_t version, boot_us = clock_boot_us();
	int rc = keeper->has_file ? 0 : read_file(keeper, err);

	if (rc == 0)
		rc = copy_guard_check(keeper->config, db, err);
	if (rc == 0)
		rc = changes_version(db, &version, err);
	if (rc == 0 && keeper->file.epoch != keeper->file.next_epoch)
		rc = find_epoch(keeper, db, version, err);
	if (rc == 0)
		rc = swap_epoch(keeper, db, version, &row, err);
	if (rc != 0)
		return rc;
	keeper->row_version = version;
	keeper->beat_us = 0; /* at once: a heartbeat also finds whether there are other nodes */
	keeper->alone = false;
	note_heartbeat(keeper, boot_us);
	keeper->needed_version = 0; /* couriers have no jobs before they have read the changes */
	adoption_open(&keeper->adoption, keeper->config, keeper->segment);
	set_attempts_until(keeper, boot_us);
	node_write(&keeper->segment->header->node, &row);
	segment_wake_all(keeper->segment, ROLE_PUBLISHER);
	segment_wake_all(keeper->segment, ROLE_COURIER);
	log_info("this node has a row in delivery_nodes", LOG_INT("node_id", row.node_id));
	return 0;
}

/* ---- heartbeats ---- */

/*
 * The sessions of the processes that keep adding many rows at once. No timeout of the server ends a COPY, so another
 * node has to end them.
 */
static const char *
write_sessions(const struct segment *segment, char text[SESSIONS_BYTES])
{
	static const enum role roles[] = {ROLE_PUBLISHER, ROLE_COURIER};
	size_t len = 0;

	text[len++] = '{';
	for (size_t r = 0; r < sizeof roles / sizeof *roles; r++)
		for (uint32_t i = 0; i < segment->counts[roles[r]]; i++) {
			int32_t pid = slot_session(segment_slot(segment, roles[r], i));

			if (pid > 0)
				len += (size_t)snprintf(
				    text + len, SESSIONS_BYTES - len, "%s%" PRId32, len > 1 ? "," : "", pid);
		}
	assert(len + 1 < SESSIONS_BYTES);
	text[len] = '}';
	text[len + 1] = '\0';
	return text;
}

/*
 * Called after each heartbeat. During a silence changes may have been acknowledged without waiting for this node; since
 * this heartbeat they wait for it again. So after a silence, couriers must act by the version that is newest now before
 * attempts go on.
 */
static int
go_on(struct node_keeper *keeper, struct db *db, int64_t version, int64_t boot_us, struct error *err)
{
	bool silent = boot_us - keeper->heartbeat_boot_us >= adoption_attempts_us(keeper->config);
	int64_t newest;

	if (silent || keeper->needed_version > 0) {
		int rc = changes_version(db, &newest, err);

		if (rc != 0)
			return rc;
		if (silent || newest < keeper->needed_version) /* a restored store has gone back */
			keeper->needed_version = newest;
	}
	note_heartbeat(keeper, boot_us);
	if (version < keeper->needed_version) {
		node_set_attempts_until_us(&keeper->segment->header->node, 0);
		return 0;
	}
	keeper->needed_version = 0;
	set_attempts_until(keeper, boot_us);
	return 0;
}

static int
say_alive(struct node_keeper *keeper, const struct node_row *row, struct db *db, struct error *err)
{
	int64_t version = least_seen(keeper), now_us = clock_steady_us(), boot_us = clock_boot_us();
	char sessions[SESSIONS_BYTES];
	const struct node_heartbeat beat = {.seen_version = version,
	    .sessions = write_sessions(keeper->segment, sessions),
	    .timeout_ms = timeout_ms(keeper)};
	struct node_heartbeat_result result;
	int rc = node_rows_heartbeat(db, row, &beat, &result, err);

	if (rc != 0) {
		keeper->not_before_us = clock_steady_us() + BEAT_AGAIN_US;
		return rc;
	}
	keeper->row_version = version;
	keeper->beat_us = now_us + adoption_heartbeat_us(keeper->config);
	if (!result.ours) {
		log_warning("another node has taken this node's row in delivery_nodes: this node gets a new row",
		    LOG_INT("node_id", row->node_id));
		keeper->alone = false;
		node_write(&keeper->segment->header->node, &(struct node_row){0});
		return 0;
	}
	keeper->alone = result.alone;
	rc = go_on(keeper, db, version, boot_us, err);
	if (rc != 0)
		return rc;
	return adoption_after_heartbeat(&keeper->adoption, db, row, &beat, &result, now_us, err);
}

static int64_t
beat_due_us(const struct node_keeper *keeper)
{
	int64_t due_us = keeper->beat_us, look_us = clock_steady_us() + LOOK_US;

	if (node_changes_version(&keeper->segment->header->node) > keeper->row_version && look_us < due_us)
		due_us = look_us;
	if (least_seen(keeper) != keeper->row_version)
		due_us = 0;
	return due_us > keeper->not_before_us ? due_us : keeper->not_before_us;
}

int64_t
node_keeper_due_us(const struct node_keeper *keeper)
{
	int64_t beat_us = beat_due_us(keeper), move_us = adoption_due_us(&keeper->adoption);
	struct node_row row;

	if (!node_read(&keeper->segment->header->node, &row))
		return 0;
	return beat_us < move_us ? beat_us : move_us;
}

int
node_keeper_step(struct node_keeper *keeper, struct db *db, struct error *err)
{
	struct node_row row;

	if (!node_read(&keeper->segment->header->node, &row))
		return claim(keeper, db, err);
	if (beat_due_us(keeper) <= clock_steady_us())
		return say_alive(keeper, &row, db, err);
	return adoption_step(&keeper->adoption, db, &row, err);
}

int
node_keeper_leave(struct node_keeper *keeper, struct db *db, struct error *err)
{
	struct node_row row;

	return node_read(&keeper->segment->header->node, &row) ? node_rows_leave(db, &row, err) : 0;
}
