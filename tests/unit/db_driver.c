/*
 * A program for tests in another language (tests/e2e/harness/db_driver.py) that uses a connection to the webhooks'
 * store. It reads one command a line from standard input, and prints one answer a line. HOOKS_TEST_POSTGRES_URL or
 * HOOKS_TEST_DATA_PATH names the store.
 *
 *   open | close | begin | commit | rollback | deadline MS | run SQL [; parameter] | check SQL [; parameter]
 *   load FROM COUNT | each FROM COUNT | months AHEAD
 *
 * load adds rows to things (name): texts of 1,000 digits for the numbers from FROM on. each adds a '!' to those names.
 * An answer is the result code, then "conflict" or "-", then the first column with "/" between the rows, or the error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/db_refusal.h"
#include "store/webhooks/months.h"
#include "store/webhooks_store.h"

static struct config config = {.auto_migrate = true, .store_timeout_ms = 10000};
static bool database_seen;
static const struct db_env env = {.database_seen = &database_seen};
static struct db *db;

static void
print_rows(const struct db_rows *rows)
{
	for (uint32_t row = 0; row < db_rows_count(rows); row++) {
		struct span text = db_rows_text(rows, row, 0);

		(void)printf("%s%.*s", row > 0 ? "/" : "", (int)text.len, text.base != NULL ? text.base : "");
	}
}

static void
answer(int rc, const struct error *err)
{
	(void)printf(
	    "%d %s %s\n", rc, rc == DB_REFUSED && db_conflict(db) ? "conflict" : "-", rc != 0 ? err->text : "");
}

/* Cuts the parameter off the text. Returns how many there are, 0 or 1. */
static size_t
take_parameter(char *sql, struct db_param *param)
{
	char *parameter = strstr(sql, "; ");

	if (parameter == NULL)
		return 0;
	*parameter = '\0';
	*param = db_string(parameter + 2);
	return 1;
}

static void
check(char *sql)
{
	struct db_param param;
	struct error err = {""};
	size_t count = take_parameter(sql, &param);
	const struct db_statement statement = {.postgres = sql};

	answer(db_check_and_commit(db, &statement, &param, count, &err), &err);
}

static const enum db_type types[] = {DB_TYPE_TEXT};
static const struct db_table things = {"things", "name", types, 1};
static const struct db_each mark = {
    {"UPDATE things SET name = old.name || '!' FROM unnest($1::text[]) AS old (name) WHERE things.name = old.name",
	"UPDATE things SET name = $1 || '!' WHERE name = $1"},
    types, 1};

static void
many(const char *numbers, bool load)
{
	unsigned from, count;
	struct error err = {""};

	if (sscanf(numbers, "%u %u", &from, &count) != 2 || count > 100000)
		abort();
	struct db_param *values = calloc(count, sizeof *values);
	char *names = malloc((size_t)count * 1001);
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(names + (size_t)i * 1001, 1001, "%01000u", from + i);
		values[i] = db_string(names + (size_t)i * 1001);
	}
	answer(load ? db_load(db, &things, values, count, &err) : db_each(db, &mark, values, count, NULL, &err), &err);
	free(values);
	free(names);
}

static void
run(char *sql)
{
	struct db_param param;
	struct db_rows *rows = NULL;
	struct error err;
	size_t count = take_parameter(sql, &param);
	const struct db_statement statement = {.postgres = sql};

	int rc = db_query(db, &statement, &param, count, &rows, &err);
	if (rc != 0) {
		answer(rc, &err);
		return;
	}
	(void)printf("0 - ");
	print_rows(rows);
	(void)printf("\n");
	db_rows_free(rows);
}

static void
obey(char *line)
{
	struct error err = {""};

	if (strcmp(line, "open") == 0)
		answer(db_open(&db, &config, &env, &err), &err);
	else if (strcmp(line, "close") == 0) {
		db_close(db);
		db = NULL;
		answer(0, &err);
	} else if (strcmp(line, "begin") == 0)
		answer(db_begin(db, &err), &err);
	else if (strcmp(line, "commit") == 0)
		answer(db_commit(db, &err), &err);
	else if (strcmp(line, "rollback") == 0) {
		db_rollback(db);
		answer(0, &err);
	} else if (strncmp(line, "months ", 7) == 0) {
		uint32_t missing;

		answer(webhooks_months_ahead(db, (uint32_t)atoi(line + 7), &missing, &err), &err);
	} else if (strncmp(line, "deadline ", 9) == 0) {
		db_set_deadline(db, clock_steady_us() + atoi(line + 9) * 1000);
		answer(0, &err);
	} else if (strncmp(line, "check ", 6) == 0)
		check(line + 6);
	else if (strncmp(line, "load ", 5) == 0)
		many(line + 5, true);
	else if (strncmp(line, "each ", 5) == 0)
		many(line + 5, false);
	else if (strncmp(line, "run ", 4) == 0)
		run(line + 4);
	else
		abort();
	(void)fflush(stdout);
}

int
main(void)
{
	static char line[1 << 20];

	config.hl_postgres_url = getenv("HOOKS_TEST_POSTGRES_URL");
	config.hl_data_path = getenv("HOOKS_TEST_DATA_PATH");
	config.hl_store = config.hl_postgres_url != NULL ? HL_STORE_POSTGRES : HL_STORE_EMBEDDED;
	log_init("driver", LOG_INFO, LOG_TEXT);
	while (fgets(line, sizeof line, stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		obey(line);
	}
	db_close(db);
	return 0;
}
