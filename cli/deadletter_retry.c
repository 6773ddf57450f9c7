/*
 * Stores the event of a dead letter again. The payload goes through the decoder like a request's body, and through the
 * store's encoder like a batch, so it becomes the same row.
 *
 * A letter in the table is deleted together with the commit of its event. A letter in the file is taken out afterwards.
 */
#include "cli/deadletter_retry.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/deadletter_file.h"
#include "cli/deadletter_print.h"
#include "cli/deadletter_published.h"
#include "cli/event_text.h"
#include "store/dead_letter_text.h"
#include "store/postgres/dead_letter_db.h"
#include "store/webhooks/sink_publish.h"
#include "store/webhooks_store.h"

/* The outcome of a retry: an enum dead_letter_outcome, or one of these. */
enum { UNREADABLE = DEAD_LETTER_GONE + 1, NO_STORE, OUTCOMES };

static const char *const outcome_words[OUTCOMES] = {
    [DEAD_LETTER_STORED] = "stored",
    [DEAD_LETTER_DUPLICATE] = "a duplicate: the store has it",
    [DEAD_LETTER_REFUSED] = "still refused",
    [DEAD_LETTER_GONE] = "gone, or another retry is at it",
    [UNREADABLE] = "not an event",
    [NO_STORE] = "left alone: no option says where its store is",
};

struct retry {
	struct dead_letter_db *db; /* of hook events; NULL: no option names it */
	struct sink *webhooks; /* of published events; NULL: they are off */
	struct uuid_source ids;
	uint64_t counts[OUTCOMES];
	struct dead_letter_reason reason; /* of the last DEAD_LETTER_REFUSED */
};

/* id: the letter's number in the table, or 0. Returns as retry_letter(). */
static int
store_event(struct retry *retry, int64_t id, const struct record *record, struct error *err)
{
	if (record->kind == RECORD_PUBLISHED)
		return retry->webhooks != NULL ? sink_publish_retry(retry->webhooks, record, &retry->reason, err)
					       : NO_STORE;
	return retry->db != NULL ? dead_letter_db_retry(retry->db, id, record, &retry->reason, err) : NO_STORE;
}

/*
 * Stores the letter's event again, counts and prints the outcome, and returns it; <0: the store is at fault. *record is
 * the event, to be released with free(), or NULL.
 */
static int
retry_letter(struct retry *retry, const struct dead_letter *letter, struct record **record, struct error *err)
{
	int64_t id = letter->id != NULL ? atoll(letter->id) : 0;
	int outcome = UNREADABLE;

	const struct span payload = {letter->payload, strlen(letter->payload)};

	*record = letter->topic != NULL ? deadletter_read_published(&retry->ids, letter->payload)
					: event_text_read(&retry->ids, payload, EVENT_TEXT_TELLS);
	if (*record != NULL)
		outcome = store_event(retry, id, *record, err);
	if (outcome < 0)
		return outcome;
	retry->counts[outcome]++;
	(void)deadletter_print(letter->id != NULL ? letter->id : letter->event_id, INT_MAX);
	printf("  %s", outcome_words[outcome]);
	if (outcome == DEAD_LETTER_REFUSED) {
		printf(": %s ", retry->reason.sqlstate);
		(void)deadletter_print(retry->reason.message.text, INT_MAX);
	}
	printf("\n");
	return outcome;
}

static int
retry_in_table(void *arg, const struct dead_letter *letter, struct error *err)
{
	struct record *record;
	int outcome = retry_letter(arg, letter, &record, err);

	free(record);
	return outcome;
}

static int
retry_in_file(void *arg, const struct dead_letter *letter, struct bytes *line, struct error *err)
{
	struct retry *retry = arg;
	struct record *record;
	int outcome = retry_letter(retry, letter, &record, err);

	if (outcome == DEAD_LETTER_REFUSED)
		dead_letter_line(line,
		    &(struct refused){.at_us = clock_wall_us(),
			.sqlstate = retry->reason.sqlstate,
			.message = retry->reason.message.text},
		    record);
	free(record);
	if (outcome < 0)
		return outcome;
	if (outcome == DEAD_LETTER_STORED || outcome == DEAD_LETTER_DUPLICATE)
		return LINE_GOES;
	return outcome == DEAD_LETTER_REFUSED ? LINE_CHANGES : LINE_STAYS;
}

static void
print_sum(const struct retry *retry)
{
	printf("stored %" PRIu64 ", duplicates %" PRIu64 ", still refused %" PRIu64, retry->counts[DEAD_LETTER_STORED],
	    retry->counts[DEAD_LETTER_DUPLICATE], retry->counts[DEAD_LETTER_REFUSED]);
	if (retry->counts[UNREADABLE] > 0)
		printf(", unreadable %" PRIu64, retry->counts[UNREADABLE]);
	if (retry->counts[DEAD_LETTER_GONE] > 0)
		printf(", left to another retry %" PRIu64, retry->counts[DEAD_LETTER_GONE]);
	if (retry->counts[NO_STORE] > 0)
		printf(", left alone %" PRIu64, retry->counts[NO_STORE]);
	printf("\n");
}

int
deadletter_retry(const struct config *config, struct dead_letter_db *db, const struct dead_letter_selection *which)
{
	static const struct sink_env no_env = {0};
	struct retry retry = {.db = db};
	uint64_t tried = 0;
	struct error err;

	uuid_source_init(&retry.ids);
	if (config_api_is_on(config))
		retry.webhooks = webhooks_sink_new(config, &no_env);
	int rc = db != NULL ? dead_letter_db_walk(db, which, retry_in_table, &retry, &err) : 0;
	if (rc == 0)
		rc = deadletter_file_edit(config, which, retry_in_file, &retry, &err);

	if (retry.webhooks != NULL)
		retry.webhooks->ops->close(retry.webhooks);
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
	uint64_t left = retry.counts[DEAD_LETTER_REFUSED] + retry.counts[UNREADABLE] + retry.counts[NO_STORE];

	return left > 0 ? COMMAND_FAILED : COMMAND_OK;
}
