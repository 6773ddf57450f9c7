/*
 * The old store is only read until the comparison at the end, which detects changes made meanwhile. Each page of rows
 * is one transaction of the new store, whose rows show how far the move is: a kill at any time costs the page under
 * way. The old store is marked before the new one may be used: no kill leaves two usable stores.
 */
#include "cli/store_migrate.h"

#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/command_words.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "config/data_dir.h"
#include "store/webhooks/move_load.h"
#include "store/webhooks/move_rows.h"
#include "store/webhooks/move_source.h"
#include "store/webhooks/move_target.h"
#include "store/webhooks_store.h"

/* Long, because nobody waits for a transaction of a move, and counting the rows of a large table takes long. */
#define STATEMENT_MS (10 * 60 * 1000)

#define LOCKS 2

/* One of the two stores. */
struct side {
	struct config config; /* hooksd's configuration with this store; borrows its texts */
	const char *name; /* for people */
	struct db *db;
};

struct moved {
	uint64_t rows;
	uint8_t digest[SHA256_BYTES];
};

struct move {
	struct side from, to;
	char mark[STORE_ID_BYTES];
	struct move_load *loads;
	struct moved *tables; /* of the old store */
	uint64_t rows; /* of all tables */
	struct progress progress;
	int locks[LOCKS]; /* locks of directories, so that no hooksd starts there; -1: none */
	bool dry_run, json;
};

static const struct db_env no_env = {0};

/* ---- which stores ---- */

/* which: as on the command line; NULL: the store of the options. */
static int
choose(struct side *side, const struct config *config, const char *which, struct error *err)
{
	bool postgres = config->hl_store == HL_STORE_POSTGRES ||
			(config->hl_store == HL_STORE_OFF && config->hl_postgres_url != NULL);

	if (which != NULL && command_is_database(which, &postgres, err) != 0)
		return -1;
	side->config = *config;
	side->config.store_timeout_ms = STATEMENT_MS;
	side->config.hl_store = postgres ? HL_STORE_POSTGRES : HL_STORE_EMBEDDED;
	if (which != NULL && postgres)
		side->config.hl_postgres_url = (char *)(uintptr_t)which;
	else if (which != NULL)
		side->config.hl_data_path = (char *)(uintptr_t)which;
	side->name = postgres ? "postgresql" : side->config.hl_data_path;
	return 0;
}

static int
choose_both(struct move *move, const struct config *config, char *const *words, struct error *err)
{
	const char *from, *to;

	if (command_flag(words, "--from", &from, err) != 0 || command_flag(words, "--to", &to, err) != 0)
		return -1;
	if (to == NULL)
		return error_set(err, "--to is missing: the URL of a database, or the path of a file");
	if (choose(&move->from, config, from, err) != 0 || choose(&move->to, config, to, err) != 0)
		return -1;
	if (move->from.config.hl_store == move->to.config.hl_store)
		return error_set(err, "both stores are %s: %s",
		    move->to.config.hl_store == HL_STORE_POSTGRES ? "databases of PostgreSQL" : "files of SQLite",
		    move->to.config.hl_store == HL_STORE_POSTGRES ? "copy it by pg_dump, or name another one by --from"
								  : "copy it, or name another one by --from");
	move->dry_run = command_has_flag(words, "--dry-run");
	move->json = command_has_flag(words, "--json");
	if (webhooks_store_check_options(&move->from.config, err) != 0)
		return -1;
	return webhooks_store_check_options(&move->to.config, err);
}

/* ---- no other users ---- */

/* A directory in which no hooksd has run has no lock file, and needs no lock. */
static int
lock_directory(struct move *move, const char *directory, struct error *err)
{
	char path[PATH_MAX];

	if (data_dir_lock_path(directory, path, err) != 0 || access(path, F_OK) != 0)
		return 0;
	int lock = data_dir_lock(directory, err);
	if (lock < 0)
		return -1;
	move->locks[move->locks[0] < 0 ? 0 : 1] = lock;
	return 0;
}

/* Locks DATA_DIR, and the embedded store's directory if it is another one. */
static int
lock_directories(struct move *move, struct error *err)
{
	const struct side *embedded = move->from.config.hl_store == HL_STORE_EMBEDDED ? &move->from : &move->to;
	char *data_dir = realpath(move->from.config.data_dir, NULL);
	char *path = mem_strdup(embedded->config.hl_data_path);
	char *of_file = realpath(dirname(path), NULL);
	int rc = data_dir != NULL ? lock_directory(move, data_dir, err) : 0;

	if (rc == 0 && of_file != NULL && (data_dir == NULL || strcmp(of_file, data_dir) != 0))
		rc = lock_directory(move, of_file, err);
	free(data_dir);
	free(of_file);
	free(path);
	return rc;
}

static int
check_unused(const struct side *side, struct error *err)
{
	char name[NODE_NAME_MAX + 1];
	bool found = false;
	int rc = move_finds_node(side->db, name, &found, err);

	if (rc != 0 || !found)
		return rc;
	return error_set(err,
	    "the hooksd on %s uses the store %s, or was killed just now: stop it, or wait until it has been "
	    "silent for HL_NODE_TIMEOUT_SECS",
	    name, side->name);
}

static int
open_side(struct side *side, bool migrate, struct error *err)
{
	if (!migrate && side->config.hl_store == HL_STORE_EMBEDDED && access(side->config.hl_data_path, R_OK) != 0)
		return error_errno(err, "%s", side->config.hl_data_path);
	side->config.auto_migrate = migrate;
	int rc = db_open_unfinished(&side->db, &side->config, &no_env, err);
	if (rc == 0 && db_distributed(side->db))
		return error_set(err,
		    "the tables are distributed over the nodes of Citus, which a move does not know: it "
		    "takes tables that are not");
	return rc != 0 ? rc : check_unused(side, err);
}

/* ---- moving ---- */

static int
count_all(struct move *move, struct error *err)
{
	int rc = 0;

	move->tables = mem_new(move_table_count, sizeof *move->tables);
	for (size_t i = 0; rc == 0 && i < move_table_count; i++) {
		rc = move_rows_count(move->from.db, &move_tables[i], &move->tables[i].rows, err);
		move->rows += move->tables[i].rows;
	}
	return rc;
}

/* Counts the rows moved by an earlier run. Replaced rows are moved again. */
static int
count_moved(struct move *move, uint64_t *rows, struct error *err)
{
	uint64_t count;
	int rc = 0;

	*rows = 0;
	for (size_t i = 0; rc == 0 && i < move_table_count; i++) {
		if (move_tables[i].seeded)
			continue;
		rc = move_rows_count(move->to.db, &move_tables[i], &count, err);
		*rows += rc == 0 ? count : 0;
	}
	return rc;
}

static int
move_table_rows(struct move *move, const struct move_table *table, struct error *err)
{
	struct move_place place = {0};
	uint32_t count = 1;
	int rc = table->seeded ? 0 : move_rows_end(move->to.db, table, &place, err);

	while (rc == 0 && count > 0) {
		struct db_rows *rows;

		rc = move_rows_read(move->from.db, table, &place, &rows, err);
		if (rc != 0)
			break;
		count = db_rows_count(rows);
		if (count > 0)
			rc = move_load_add(move->to.db, table, move->loads, rows, err);
		db_rows_free(rows);
		progress_add(&move->progress, count);
	}
	move_place_free(&place);
	return rc;
}

static int
move_all(struct move *move, struct error *err)
{
	bool goes_on;
	uint64_t before;
	int rc = move_begin(move->to.db, move->mark, &goes_on, err);

	/* Who came in before the mark. A node that comes later knows the pause. */
	if (rc == 0)
		rc = check_unused(&move->to, err);
	if (rc == 0)
		rc = count_moved(move, &before, err);
	if (rc == 0 && move->to.config.hl_store == HL_STORE_POSTGRES)
		rc = move_months(move->from.db, move->to.db, err);
	if (rc != 0)
		return rc;
	if (goes_on)
		fprintf(stderr, "hooksctl store: going on: %" PRIu64 " rows are there already\n", before);
	move->loads = move_loads_new();
	progress_begin(&move->progress, "moving", move->rows, before);
	for (size_t i = 0; rc == 0 && i < move_table_count; i++)
		rc = move_table_rows(move, &move_tables[i], err);
	progress_end(&move->progress);
	return rc;
}

/* ---- comparing ---- */

static int
read_all(struct move *move, struct db *db, const struct move_table *table, struct moved *moved, struct error *err)
{
	struct move_place place = {0};
	uint32_t count = 1;
	int rc = 0;

	*moved = (struct moved){0};
	while (rc == 0 && count > 0) {
		struct db_rows *rows;

		rc = move_rows_read(db, table, &place, &rows, err);
		if (rc != 0)
			break;
		count = db_rows_count(rows);
		move_rows_digest(table, rows, moved->digest);
		moved->rows += count;
		db_rows_free(rows);
		progress_add(&move->progress, count);
	}
	move_place_free(&place);
	return rc;
}

static int
compare_table(struct move *move, const struct move_table *table, struct moved *old, struct error *err)
{
	struct moved new;
	uint64_t counted = old->rows;
	int rc = read_all(move, move->from.db, table, old, err);

	if (rc == 0 && old->rows != counted)
		return error_set(err,
		    "the table %s of the old store had %" PRIu64 " rows and has %" PRIu64 ": is it used? "
		    "Begin again with an empty store",
		    table->name, counted, old->rows);
	if (rc == 0)
		rc = read_all(move, move->to.db, table, &new, err);
	if (rc != 0)
		return rc;
	if (old->rows != new.rows)
		return error_set(err,
		    "the table %s has %" PRIu64 " rows in the old store and %" PRIu64 " in the new one: "
		    "was one of them used meanwhile? Begin again with an empty store",
		    table->name, old->rows, new.rows);
	if (memcmp(old->digest, new.digest, sizeof new.digest) != 0)
		return error_set(err,
		    "the rows of the table %s differ in the two stores: was one of them used meanwhile? "
		    "Begin again with an empty store",
		    table->name);
	return 0;
}

static int
compare_all(struct move *move, struct error *err)
{
	int rc = 0;

	progress_begin(&move->progress, "comparing", 2 * move->rows, 0);
	for (size_t i = 0; rc == 0 && i < move_table_count; i++)
		rc = compare_table(move, &move_tables[i], &move->tables[i], err);
	progress_end(&move->progress);
	if (rc == 0)
		rc = check_unused(&move->from, err);
	return rc == 0 ? check_unused(&move->to, err) : rc;
}

/* ---- telling ---- */

static void
print_digest(const uint8_t digest[SHA256_BYTES])
{
	for (int i = 0; i < SHA256_BYTES; i++)
		printf("%02x", digest[i]);
}

static void
print_json(const struct move *move)
{
	printf("{\"dry_run\":%s,\"rows\":%" PRIu64 ",\"tables\":[", move->dry_run ? "true" : "false", move->rows);
	for (size_t i = 0; i < move_table_count; i++) {
		printf("%s{\"table\":\"%s\",\"rows\":%" PRIu64, i > 0 ? "," : "", move_tables[i].name,
		    move->tables[i].rows);
		if (!move->dry_run) {
			printf(",\"checksum\":\"");
			print_digest(move->tables[i].digest);
			printf("\"");
		}
		printf("}");
	}
	printf("],\"left_out\":[");
	for (size_t i = 0; i < move_left_count; i++)
		printf("%s{\"what\":\"%s\",\"why\":\"%s\"}", i > 0 ? "," : "", move_left_out[i].what,
		    move_left_out[i].why);
	printf("]}\n");
}

static void
print_plain(const struct move *move)
{
	for (size_t i = 0; i < move_table_count; i++) {
		printf("%-17s %12" PRIu64 " rows", move_tables[i].name, move->tables[i].rows);
		if (!move->dry_run) {
			printf("  sha256 ");
			print_digest(move->tables[i].digest);
		}
		printf("\n");
	}
	for (size_t i = 0; move->dry_run && i < move_left_count; i++)
		printf("left out: %s: %s\n", move_left_out[i].what, move_left_out[i].why);
	printf("%" PRIu64 " rows %s\n", move->rows,
	    move->dry_run ? "would be moved" : "are moved, and are the same in both stores");
	if (!move->dry_run)
		printf(
		    "Start hooksd on the new store, and then `hooksctl deliveries resume`. The old store is as it was, "
		    "but hooksd does not start on it: the jobs that wait there would be sent twice.\n");
}

/* ---- all of it ---- */

static int
run(struct move *move, struct error *err)
{
	int rc = lock_directories(move, err);

	if (rc == 0)
		rc = open_side(&move->from, false, err);
	if (rc == 0)
		rc = move_mark(move->from.db, move->mark, err);
	if (rc == 0)
		rc = count_all(move, err);
	if (rc != 0 || move->dry_run)
		return rc;
	rc = open_side(&move->to, true, err);
	if (rc == 0)
		rc = move_all(move, err);
	if (rc == 0)
		rc = compare_all(move, err);
	if (rc == 0)
		rc = move_set_moved(move->from.db, err);
	return rc == 0 ? move_finish(move->to.db, move->mark, err) : rc;
}

int
store_migrate_command(const struct config *config, char *const *words)
{
	struct move move = {.locks = {-1, -1}};
	struct error err;

	if (choose_both(&move, config, words, &err) != 0) {
		fprintf(stderr, "hooksctl store: %s\n", err.text);
		return COMMAND_USAGE;
	}
	int rc = run(&move, &err);
	if (rc != 0)
		fprintf(stderr, "hooksctl store: %s\n", err.text);
	else if (move.json)
		print_json(&move);
	else
		print_plain(&move);
	db_close(move.from.db);
	db_close(move.to.db);
	for (int i = 0; i < LOCKS; i++)
		if (move.locks[i] >= 0)
			close(move.locks[i]);
	free(move.loads);
	free(move.tables);
	return rc == 0 && fflush(stdout) == 0 ? COMMAND_OK : COMMAND_FAILED;
}

int
store_reopen_command(const struct config *config)
{
	struct side side = {0};
	struct error err;
	int rc = choose(&side, config, NULL, &err);

	if (rc == 0)
		rc = webhooks_store_check_options(&side.config, &err);
	if (rc == 0)
		rc = open_side(&side, false, &err);
	if (rc == 0)
		rc = move_reopen(side.db, &err);
	if (rc != 0)
		fprintf(stderr, "hooksctl store: %s\n", err.text);
	else
		printf(
		    "hooksd starts on %s again, with deliveries paused. `hooksctl deliveries resume` sends what waits "
		    "there, whatever the other store has sent.\n",
		    side.name);
	db_close(side.db);
	return rc == 0 && fflush(stdout) == 0 ? COMMAND_OK : COMMAND_FAILED;
}
