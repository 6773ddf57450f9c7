/*
 * Storing the event of a dead letter again. Its payload takes the way of a request, through the decoder, and the way of
 * a batch, through the writer's encoder, so that it becomes the same row.
 *
 * For a letter of the table, one statement stores the event and deletes the letter: both happen or none, and of two
 * retries at once one finds the letter locked and passes on. A letter of the file goes after the commit.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/deadletter.h"
#include "ingest/decode.h"
#include "event/scan.h"
#include "ingest/timestamp.h"
#include "store/dead_letter_text.h"
#include "store/postgres/sqlstate.h"
#include "store/postgres/row_encode.h"

#define STATEMENT_SECONDS 60
#define RACE_ATTEMPTS 5

/* Parameters are those of one row, then the letter's number; 0 is nobody's, and then nothing is stored. */
#define PARAMS (ROW_COLUMNS + 1)

#define INSERT_FROM(source)                                                                                            \
	"stored AS (INSERT INTO hook_events (" ROW_NAMES ") SELECT event.* FROM " source " " ROW_CONFLICT_SQL          \
	" RETURNING 1) SELECT "

#define TABLE_SQL                                                                                                      \
	"WITH letter AS (DELETE FROM hook_events_dead_letters WHERE id = (SELECT id FROM hook_events_dead_letters "    \
	"WHERE id = $12::bigint FOR UPDATE SKIP LOCKED) RETURNING id), " INSERT_FROM(                                  \
	    "letter, " ROW_UNNEST_SQL " AS event") "(SELECT count(*) FROM letter), (SELECT count(*) FROM stored)"

#define FILE_SQL                                                                                                       \
	"WITH " INSERT_FROM(ROW_UNNEST_SQL " AS event WHERE $12::bigint > 0") "1, (SELECT count(*) FROM stored)"

enum outcome { OUTCOME_STORED, OUTCOME_DUPLICATE, OUTCOME_REFUSED, OUTCOME_UNREADABLE, OUTCOME_GONE, OUTCOMES };

static const char *const outcome_words[OUTCOMES] = {
    [OUTCOME_STORED] = "stored",
    [OUTCOME_DUPLICATE] = "a duplicate: the store has it",
    [OUTCOME_REFUSED] = "still refused",
    [OUTCOME_UNREADABLE] = "not an event",
    [OUTCOME_GONE] = "gone, or another retry is at it",
};

struct retry {
	struct pg *pg;
	struct uuid_source ids;
	struct bytes arrays[ROW_COLUMNS];
	uint64_t counts[OUTCOMES];

	/* Of the last OUTCOME_REFUSED. */
	char sqlstate[6];
	struct error message;
};

/* The payload's received_at, which the decoder does not look at. */
static bool
read_received(const char *payload, int64_t *us)
{
	struct scan scan;
	struct json key, value;
	bool first = true;

	if (!scan_begin(&scan, payload, strlen(payload)) || *scan.at != '{')
		return false;
	scan.nonfinite_ok = true;
	while (scan_member(&scan, &first, &key) == SCAN_ELEMENT && scan_value(&scan, &value)) {
		if (key.len == strlen("\"received_at\"") && memcmp(key.text, "\"received_at\"", key.len) == 0)
			return value.type == JSON_STRING && timestamp_parse(value.text + 1, value.len - 2, us) == NULL;
	}
	return false;
}

/* The payload's event as a sealed record, to be released with free(); NULL: it is none. */
static struct record *
read_event(struct retry *retry, const char *payload)
{
	size_t len = strlen(payload), capacity = record_size(len);
	struct decode_env env = {
	    .max_event_bytes = DECODE_EVENT_BYTES_MAX,
	    .max_events = 1,
	    .unknown = UNKNOWN_IGNORE, /* the letter's own */
	    .ids = &retry->ids,
	    .timestamp_us = TIMESTAMP_MIN_US, /* which is not taken for a time otherwise */
	};
	struct record *record = mem_new(1, capacity);
	struct decode_result result;

	if (read_received(payload, &env.now_us) &&
	    decode_body(payload, len, BODY_EVENT, &env, record, capacity, &result) == DECODE_OK)
		return record;
	free(record);
	return NULL;
}

/* Runs the statement for the letter of that number. 0 with the two counts, PG_REFUSED, or <0. */
static int
run(struct retry *retry, const char *sql, const struct record *record, int64_t id, bool *had, bool *stored,
    struct error *err)
{
	uint64_t number = htobe64((uint64_t)id);
	struct pg_param params[PARAMS];
	PGresult *result;

	for (unsigned column = 0; column < ROW_COLUMNS; column++) {
		row_array(&retry->arrays[column], column, &record, 1);
		params[column] = (struct pg_param){retry->arrays[column].base, retry->arrays[column].len};
	}
	params[ROW_COLUMNS] = (struct pg_param){&number, sizeof number};
	/* A letter of the file goes when this has returned. */
	int rc = pg_exec_durably(retry->pg, "", sql, params, PARAMS, pg_deadline(STATEMENT_SECONDS), &result, err);
	if (rc != 0)
		return rc;
	*had = strcmp(PQgetvalue(result, 0, 0), "1") == 0;
	*stored = strcmp(PQgetvalue(result, 0, 1), "1") == 0;
	PQclear(result);
	return 0;
}

/* Returns enum outcome, or <0 when the store is to blame. */
static int
try(struct retry *retry, const char *sql, const struct record *record, int64_t id, struct error *err)
{
	enum refusal_cause refusal;
	bool had, stored;
	int attempts = 0;

	do {
		int rc = run(retry, sql, record, id, &had, &stored, err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			return !had ? OUTCOME_GONE : stored ? OUTCOME_STORED : OUTCOME_DUPLICATE;
		refusal = sqlstate_cause(pg_refusal(retry->pg));
	} while (refusal == CAUSE_RACE && ++attempts < RACE_ATTEMPTS);

	if (refusal == CAUSE_RACE || refusal == CAUSE_STORE)
		return -1;
	(void)stpcpy(retry->sqlstate, pg_sqlstate(retry->pg));
	retry->message = (struct error){0};
	(void)stpcpy(retry->message.text, pg_refusal(retry->pg)->message.text);
	/* Such as a missing right: then nothing is refused, too. */
	if (refusal == CAUSE_UNCLEAR && run(retry, sql, record, 0, &had, &stored, err) != 0)
		return -1;
	return OUTCOME_REFUSED;
}

/* Tries and tells. As try(), but *record is the event, to be released with free(). */
static int
try_letter(struct retry *retry, const char *sql, const struct letter *letter, struct record **record, struct error *err)
{
	int64_t id = letter->id != NULL ? atoll(letter->id) : 1;
	int outcome = OUTCOME_UNREADABLE;

	*record = read_event(retry, letter->payload);
	if (*record != NULL)
		outcome = try(retry, sql, *record, id, err);
	if (outcome < 0)
		return outcome;
	retry->counts[outcome]++;
	(void)deadletter_print(letter->id != NULL ? letter->id : letter->event_id, INT_MAX);
	printf("  %s", outcome_words[outcome]);
	if (outcome == OUTCOME_REFUSED) {
		printf(": %s ", retry->sqlstate);
		(void)deadletter_print(retry->message.text, INT_MAX);
	}
	printf("\n");
	return outcome;
}

static int
keep_reason(struct retry *retry, const char *id, struct error *err)
{
	static const char sql[] = "UPDATE hook_events_dead_letters SET refused_at = now(), sqlstate = $2::text, "
				  "message = $3::text WHERE id = $1::bigint";
	uint64_t number = htobe64((uint64_t)atoll(id));
	const struct pg_param params[] = {
	    {&number, sizeof number},
	    {retry->sqlstate, strlen(retry->sqlstate)},
	    {retry->message.text, strlen(retry->message.text)},
	};

	return pg_exec_params(retry->pg, sql, params, 3, pg_deadline(STATEMENT_SECONDS), NULL, err) == 0 ? 0 : -1;
}

static int
retry_in_table(void *arg, const struct letter *letter, struct error *err)
{
	struct retry *retry = arg;
	struct record *record;
	int outcome = try_letter(retry, TABLE_SQL, letter, &record, err);

	free(record);
	return outcome == OUTCOME_REFUSED ? keep_reason(retry, letter->id, err) : outcome;
}

static int
retry_in_file(void *arg, const struct letter *letter, struct bytes *line, struct error *err)
{
	struct retry *retry = arg;
	struct record *record;
	int outcome = try_letter(retry, FILE_SQL, letter, &record, err);

	if (outcome == OUTCOME_REFUSED)
		letter_line(line,
		    &(struct refused){
			.at_us = clock_wall_us(), .sqlstate = retry->sqlstate, .message = retry->message.text},
		    record);
	free(record);
	if (outcome < 0)
		return outcome;
	if (outcome == OUTCOME_STORED || outcome == OUTCOME_DUPLICATE)
		return LINE_GOES;
	return outcome == OUTCOME_REFUSED ? LINE_CHANGES : LINE_STAYS;
}

static void
print_sum(const struct retry *retry)
{
	printf("stored %" PRIu64 ", duplicates %" PRIu64 ", still refused %" PRIu64, retry->counts[OUTCOME_STORED],
	    retry->counts[OUTCOME_DUPLICATE], retry->counts[OUTCOME_REFUSED]);
	if (retry->counts[OUTCOME_UNREADABLE] > 0)
		printf(", unreadable %" PRIu64, retry->counts[OUTCOME_UNREADABLE]);
	if (retry->counts[OUTCOME_GONE] > 0)
		printf(", left to another retry %" PRIu64, retry->counts[OUTCOME_GONE]);
	printf("\n");
}

int
deadletter_retry(const struct config *config, struct pg *pg, const struct selection *which)
{
	struct retry retry = {.pg = pg};
	uint64_t tried = 0;
	struct error err;

	uuid_source_init(&retry.ids);
	int rc = deadletter_table_walk(pg, which, true, retry_in_table, &retry, &err);
	if (rc == 0)
		rc = deadletter_file_edit(config, which, retry_in_file, &retry, &err);
	for (unsigned column = 0; column < ROW_COLUMNS; column++)
		bytes_free(&retry.arrays[column]);

	for (int outcome = 0; outcome < OUTCOMES; outcome++)
		tried += retry.counts[outcome];
	if (tried > 0)
		print_sum(&retry);
	if (rc < 0) {
		fprintf(stderr, "hooksctl deadletter: %s\n", err.text);
		return COMMAND_FAILED;
	}
	if (tried == 0)
		return deadletter_none(which);
	return retry.counts[OUTCOME_REFUSED] + retry.counts[OUTCOME_UNREADABLE] > 0 ? COMMAND_FAILED : COMMAND_OK;
}
