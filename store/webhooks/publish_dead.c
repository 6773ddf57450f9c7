/* All go to the file: the table of dead letters belongs to hook events, which may be in another database. */
#include "store/webhooks/publish_dead.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"

/* The first row whose text begins the SQLSTATE counts. An SQLSTATE without a row is the store's fault. */
static const struct {
	const char *begins;
	enum blame blame;
} causes[] = {
    {"23502", BLAME_UNCLEAR}, /* an added column that may not be null */
    {"21", BLAME_EVENT}, /* cardinality violation */
    {"22", BLAME_EVENT}, /* data exception */
    {"23", BLAME_EVENT}, /* a CHECK, or another key than the event's own */
    {"54", BLAME_EVENT}, /* program limit exceeded */
    {"45", BLAME_UNCLEAR}, /* a state that a trigger has made up */
    {"P0", BLAME_UNCLEAR}, /* raised by a trigger */
};

enum blame
blame_of(const char *sqlstate)
{
	if (sqlstate[0] == '\0')
		return BLAME_UNCLEAR; /* SQLite gives no more detail */
	for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
		if (strncmp(sqlstate, causes[i].begins, strlen(causes[i].begins)) == 0)
			return causes[i].blame;
	return BLAME_STORE;
}

void
publish_dead_init(struct publish_dead *dead, const char *data_dir)
{
	*dead = (struct publish_dead){.file_used = false};
	dead_letter_file_init(&dead->file, data_dir);
}

void
publish_dead_free(struct publish_dead *dead)
{
	dead_letter_file_free(&dead->file);
}

static int
keep(struct publish_dead *dead, struct publication *item, const char *sqlstate, const char *message, struct error *err)
{
	const struct refused refused = {.at_us = clock_wall_us(), .sqlstate = sqlstate, .message = message};

	if (dead->reason != NULL) {
		(void)snprintf(dead->reason->sqlstate, sizeof dead->reason->sqlstate, "%s", sqlstate);
		(void)error_set(&dead->reason->message, "%s", message);
	} else {
		if (dead_letter_file_append(&dead->file, &refused, item->record, err) < 0)
			return -1;
		dead->file_used = true;
	}
	item->outcome = (struct publish_outcome){.result = PUBLISH_DEAD};
	return 0;
}

int
publish_dead_refused(
    struct publish_dead *dead, struct publication *item, const char *sqlstate, const char *message, struct error *err)
{
	char copy[ERROR_TEXT_MAX];
	uint64_t times;

	(void)snprintf(copy, sizeof copy, "%s", message); /* message may point into *err */
	if (keep(dead, item, sqlstate, copy, err) < 0)
		return -1;
	times = dead->reason == NULL ? repeat_met(&dead->refused, clock_steady_us()) : 0;
	if (times > 0)
		log_warning("the webhooks' store refused published events: they are in the dead letters",
		    LOG_UINT("events", times), LOG_STR("last_refusal", copy));
	return 0;
}

int
publish_dead_conflict(struct publish_dead *dead, struct publication *item, struct error *err)
{
	char message[128], first[FORMAT_UUID_BYTES];
	uint64_t times;

	format_uuid(item->outcome.event_id, first);
	(void)snprintf(message, sizeof message,
	    "its idempotency key is that of event %.*s, which has another topic or payload", FORMAT_UUID_BYTES, first);
	if (keep(dead, item, "23505", message, err) < 0)
		return -1;
	times = dead->reason == NULL ? repeat_met(&dead->conflicts, clock_steady_us()) : 0;
	if (times > 0)
		log_warning("spooled events have the idempotency keys of others: they are in the dead letters",
		    LOG_UINT("events", times));
	return 0;
}

int
publish_dead_sync(struct publish_dead *dead, struct error *err)
{
	if (!dead->file_used)
		return 0;
	dead->file_used = false;
	return dead_letter_file_sync(&dead->file, err);
}
