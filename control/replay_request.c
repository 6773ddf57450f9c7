/* Empty strings and zeros count as absent. An unknown member is refused: it may be a misspelt filter. */
#include "control/replay_request.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/uuid.h"

static const struct document_lengths word = {0, QUERY_VALUE_BYTES - 1, false};

/* A string that is not empty. */
static bool
text_of(struct document *document, const char *name, struct span *out)
{
	return document_string(document, name, &word, out) && out->len > 0;
}

static bool
id_of(struct document *document, const char *name, const char *what, uint8_t id[16])
{
	struct span text;

	if (!text_of(document, name, &text))
		return false;
	return uuid_parse(text.base, text.len, id) ||
	       document_refuse(document, name, "must be the id of %s, a UUID", what);
}

static int
by_id(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static void
read_list(struct document *document, struct replay_request *replay)
{
	struct document list;

	if (!document_inner_array(document, "event_ids", &list))
		return;
	if (list.count > 0)
		replay->ids = mem_new(list.count, sizeof *replay->ids);
	for (size_t i = 0; i < list.count; i++) {
		struct span text;

		if (!document_string_at(&list, i, &word, &text))
			break;
		if (!uuid_parse(text.base, text.len, replay->ids[replay->id_count++])) {
			(void)document_refuse(document, "event_ids", "must be ids of events, UUIDs");
			break;
		}
	}
	if (list.count > REPLAY_IDS_MAX)
		(void)document_refuse(document, "event_ids", "may have %d ids", REPLAY_IDS_MAX);
	document_close(&list);
}

/* Sorts the ids and removes duplicates. */
static void
sort_ids(struct replay_request *replay)
{
	uint32_t kept = 0;

	if (replay->id_count == 0)
		return;
	qsort(replay->ids, replay->id_count, sizeof *replay->ids, by_id);
	for (uint32_t i = 0; i < replay->id_count; i++)
		if (kept == 0 || memcmp(replay->ids[kept - 1], replay->ids[i], 16) != 0)
			memmove(replay->ids[kept++], replay->ids[i], 16);
	replay->id_count = kept;
}

static void
read_topic(struct document *document, struct replay_request *replay)
{
	struct span text;
	struct error err;

	if (!text_of(document, "topic", &text))
		return;
	if (text.len >= sizeof replay->topic.pattern) {
		(void)document_refuse(document, "topic", "is longer than any topic");
	} else if (topic_pattern_check(text, &err) != 0) {
		(void)document_refuse(document, "topic", "%s", err.text);
	} else {
		memcpy(mempcpy(replay->topic.pattern, text.base, text.len), "", 1);
		topic_like(replay->topic.pattern, replay->topic.like);
		replay->topic.given = true;
	}
}

static void
read_mode(struct document *document, struct replay_request *replay)
{
	struct span mode;

	if (!text_of(document, "mode", &mode))
		return;
	replay->failed_only = mode.len == strlen("failed_only") && memcmp(mode.base, "failed_only", mode.len) == 0;
	if (!replay->failed_only && (mode.len != strlen("all") || memcmp(mode.base, "all", mode.len) != 0))
		(void)document_refuse(document, "mode", "must be all or failed_only");
}

/* A number; 0 is absent. */
static bool
number_of(struct document *document, const char *name, int64_t most, int64_t *out)
{
	int64_t number;

	if (!document_int(document, name, 0, most, &number) || number == 0)
		return false;
	*out = number;
	return true;
}

static void
refuse_unknown(struct document *document)
{
	struct bytes unknown = {0};

	document_unknown(document, NULL, &unknown);
	if (unknown.len > 0)
		(void)document_refuse(document, NULL,
		    "a replay has the members event_id, event_ids, from_ms, to_ms, topic, endpoint_id, mode, limit, "
		    "rate "
		    "and dry_run, and no other");
	bytes_free(&unknown);
}

static void
read_members(struct document *document, struct replay_request *replay)
{
	uint8_t one[16];
	bool bounded, endpoint = id_of(document, "endpoint_id", "an endpoint", replay->endpoint_id);

	read_list(document, replay);
	replay->one = id_of(document, "event_id", "an event", one);
	bounded = number_of(document, "from_ms", TIME_RANGE_LAST_MS - 1, &replay->created.from_ms);
	bounded = number_of(document, "to_ms", TIME_RANGE_LAST_MS - 1, &replay->created.to_ms) || bounded;
	read_topic(document, replay);
	read_mode(document, replay);
	(void)document_bool(document, "dry_run", &replay->dry_run);
	(void)number_of(document, "rate", REPLAY_RATE_MAX, &replay->rate);
	if (replay->one && replay->ids != NULL)
		(void)document_refuse(document, "event_id", "cannot be given together with event_ids");
	if (replay->one && replay->ids == NULL) {
		replay->ids = mem_new(1, sizeof *replay->ids);
		memcpy(replay->ids[0], one, sizeof one);
		replay->id_count = 1;
	}
	sort_ids(replay);
	replay->limit = replay->ids != NULL ? replay->id_count : REPLAY_LIMIT;
	(void)number_of(document, "limit", INT32_MAX, &replay->limit);
	if (replay->ids != NULL && (bounded || replay->topic.given))
		(void)document_refuse(document, replay->one ? "event_id" : "event_ids",
		    "cannot be given together with from_ms, to_ms and topic");
	if (replay->ids == NULL && !bounded && !replay->topic.given && !endpoint)
		(void)document_refuse(document, NULL,
		    "one of event_id, event_ids, from_ms, to_ms, topic and endpoint_id is required: what is to be "
		    "replayed");
	refuse_unknown(document);
}

bool
replay_request_read(struct span body, struct replay_request *replay, struct document_error *error)
{
	struct document document;
	struct span text;

	*replay = (struct replay_request){.created = TIME_RANGE_ALL};
	if (document_open(&document, body, error)) {
		read_members(&document, replay);
		if (error->code == NULL && document_string(&document, "endpoint_id", &word, &text) && text.len > 0)
			(void)object_id_read(text, replay->endpoint_text);
	}
	document_close(&document);
	return error->code == NULL;
}

void
replay_request_free(struct replay_request *replay)
{
	free(replay->ids);
	*replay = (struct replay_request){0};
}
