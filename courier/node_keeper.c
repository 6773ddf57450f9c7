/*
 * A claim is three steps: the file names the next epoch, the row gets it, the file has it alone. A start that finds a
 * file between the first and the third asks which of the two epochs the row has. Whether the store is a copy is found
 * out before: no courier of this node begins an attempt without the row.
 */
#include "courier/node_keeper.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "courier/copy_guard.h"
#include "courier/node_file.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/node_rows.h"

#define BEAT_US (5 * 1000 * 1000)
/* How often is looked whether couriers act by a newer version than the row says: other nodes wait for that. */
#define LOOK_US (20 * 1000)

struct node_keeper {
	const struct config *config;
	const struct segment *segment;
	bool has_file; /* file is what the disk has */
	struct node_file file;
	int64_t beat_us; /* steady: the next heartbeat */
	int64_t told_version; /* what the row has as seen_version */
};

struct node_keeper *
node_keeper_new(const struct config *config, const struct segment *segment)
{
	struct node_keeper *keeper = mem_new(1, sizeof *keeper);

	keeper->config = config;
	keeper->segment = segment;
	return keeper;
}

void
node_keeper_free(struct node_keeper *keeper)
{
	free(keeper);
}

/* The oldest version by which a courier acts. One that has none yet holds nothing, and will read what is newest. */
static int64_t
least_seen(const struct node_keeper *keeper)
{
	int64_t least = INT64_MAX;

	for (uint32_t i = 0; i < keeper->segment->counts[ROLE_COURIER]; i++) {
		int64_t version = courier_seen_version(segment_courier(keeper->segment, i));

		if (version > 0 && version < least)
			least = version;
	}
	return least != INT64_MAX ? least : keeper->told_version;
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

/* After a claim that was not finished: which epoch the row has. */
static int
find_epoch(struct node_keeper *keeper, struct db *db, int64_t version, struct error *err)
{
	const struct node_row next = {.node_id = keeper->file.node_id, .epoch = keeper->file.next_epoch};
	int64_t node_id = next.node_id;
	bool ours;
	int rc;

	if (node_id == 0) {
		rc = node_rows_find(db, next.epoch, &node_id, err);
		ours = node_id != 0;
	} else {
		rc = node_rows_beat(db, &next, version, &ours, err);
	}
	if (rc == 0 && ours)
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

static int
swap_epoch(struct node_keeper *keeper, struct db *db, int64_t version, struct node_row *row, struct error *err)
{
	struct node_file file = keeper->file;
	char host[256] = "";
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
	    .seen_version = version};
	rc = node_rows_claim(db, &claim, row, err);
	if (rc != 0)
		return rc;
	file = (struct node_file){.node_id = row->node_id, .epoch = row->epoch, .next_epoch = row->epoch};
	return write_file(keeper, &file, err);
}

static void
wake_role(const struct segment *segment, enum role role)
{
	for (uint32_t i = 0; i < segment->counts[role]; i++) {
		struct wake wake = segment_wake(segment, role, i);

		wake_up(&wake);
	}
}

static int
claim(struct node_keeper *keeper, struct db *db, struct error *err)
{
	struct node_row row;
	int64_t version;
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
	keeper->told_version = version;
	keeper->beat_us = clock_steady_us() + BEAT_US;
	node_write(&keeper->segment->header->node, &row);
	wake_role(keeper->segment, ROLE_PUBLISHER);
	wake_role(keeper->segment, ROLE_COURIER);
	log_info("this node has a row in delivery_nodes", LOG_INT("node_id", row.node_id));
	return 0;
}

/* ---- heartbeats ---- */

static int
beat(struct node_keeper *keeper, const struct node_row *row, struct db *db, struct error *err)
{
	int64_t version = least_seen(keeper);
	bool ours;
	int rc = node_rows_beat(db, row, version, &ours, err);

	if (rc != 0)
		return rc;
	keeper->told_version = version;
	keeper->beat_us = clock_steady_us() + BEAT_US;
	if (!ours) {
		log_warning("this node's row in delivery_nodes is another's: the node gets another row",
		    LOG_INT("node_id", row->node_id));
		node_write(&keeper->segment->header->node, &(struct node_row){0});
	}
	return 0;
}

int64_t
node_keeper_due_us(const struct node_keeper *keeper)
{
	const struct node_words *words = &keeper->segment->header->node;
	int64_t look_us = clock_steady_us() + LOOK_US;
	struct node_row row;

	if (!node_read(words, &row) || least_seen(keeper) != keeper->told_version)
		return 0;
	return node_changes_version(words) > keeper->told_version && look_us < keeper->beat_us ? look_us
											       : keeper->beat_us;
}

int
node_keeper_step(struct node_keeper *keeper, struct db *db, struct error *err)
{
	struct node_row row;

	return node_read(&keeper->segment->header->node, &row) ? beat(keeper, &row, db, err) : claim(keeper, db, err);
}

int
node_keeper_leave(struct node_keeper *keeper, struct db *db, struct error *err)
{
	struct node_row row;

	return node_read(&keeper->segment->header->node, &row) ? node_rows_leave(db, &row, err) : 0;
}
