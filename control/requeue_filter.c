/* Unknown names are refused, because a misspelt filter would requeue more than intended. */
#include "control/requeue_filter.h"

#include <string.h>

#include "api/document.h"

static const char *const names[] = {"endpoint_id", "topic", "reason", "from_ms", "to_ms", "limit", "dry_run", NULL};

struct reading {
	const struct request *request;
	struct document document;
	struct document_error error;
	struct reply *reply;
};

/* Reads a text from the body, otherwise from the query; "": none. */
static void
read_text(struct reading *reading, const char *name, char out[QUERY_VALUE_BYTES])
{
	const struct document_lengths lengths = {0, QUERY_VALUE_BYTES - 1, false};
	struct span given;

	if (!document_string(&reading->document, name, &lengths, &given) || given.len == 0) {
		if (!query_value(reading->request, name, out))
			out[0] = '\0';
		return;
	}
	if (given.len >= QUERY_VALUE_BYTES) {
		out[0] = '\0';
		document_refuse(&reading->document, name, "is too long");
		return;
	}
	memcpy(out, given.base, given.len);
	out[given.len] = '\0';
}

static bool
read_int(struct reading *reading, const char *name, int64_t max, int64_t *out)
{
	int64_t value = 0;

	if (!document_int(&reading->document, name, 0, max, &value) &&
	    !query_int(reading->request, name, 0, max, &value, reading->reply))
		return false;
	if (value != 0)
		*out = value;
	return true;
}

static bool
read_dry_run(struct reading *reading, bool *out)
{
	int value = 0;

	if (document_bool(&reading->document, "dry_run", out))
		return true;
	if (!query_bool(reading->request, "dry_run", &value, reading->reply))
		return false;
	*out = value == 1;
	return true;
}

static void
read_topic(struct reading *reading, struct topic_filter *out)
{
	struct error err;
	char pattern[QUERY_VALUE_BYTES];

	read_text(reading, "topic", pattern);
	if (pattern[0] != '\0' && filter_topic_set(out, pattern, &err) != 0)
		document_refuse(&reading->document, "topic", "%s", err.text);
}

static void
read_endpoint(struct reading *reading, char out[OBJECT_ID_BYTES])
{
	char id[QUERY_VALUE_BYTES];

	out[0] = '\0';
	read_text(reading, "endpoint_id", id);
	if (id[0] != '\0' && !object_id_read((struct span){id, strlen(id)}, out))
		document_refuse(&reading->document, "endpoint_id", "must be the id of an endpoint, a UUID");
}

static void
refuse_unknown(struct document *document)
{
	for (size_t i = 0; i < document->count; i++)
		if (!document->members[i].known)
			document_refuse(document, NULL,
			    "a member is none of endpoint_id, topic, reason, from_ms, to_ms, limit, dry_run");
}

/* false: the reply has an answer. */
static bool
read_all(struct reading *reading, struct requeue_filter *filter)
{
	read_endpoint(reading, filter->endpoint_id);
	read_topic(reading, &filter->topic);
	read_text(reading, "reason", filter->reason);
	if (!read_int(reading, "from_ms", TIME_RANGE_LAST_MS - 1, &filter->letters.created.from_ms) ||
	    !read_int(reading, "to_ms", TIME_RANGE_LAST_MS - 1, &filter->letters.created.to_ms) ||
	    !read_int(reading, "limit", INT32_MAX, &filter->limit) || !read_dry_run(reading, &filter->dry_run))
		return false;
	refuse_unknown(&reading->document);
	if (reading->error.code == NULL)
		return true;
	answer_error(reading->reply, 400, reading->error.code, "%s", reading->error.detail);
	return false;
}

bool
requeue_filter_read(const struct request *request, struct requeue_filter *filter, struct reply *reply)
{
	struct reading reading = {.request = request, .reply = reply};
	bool fine;

	*filter = (struct requeue_filter){.letters = {.created = TIME_RANGE_ALL}, .limit = INT64_MAX};
	if (!query_has_only(request, names, reply))
		return false;
	fine = document_open(&reading.document, request->body, &reading.error);
	if (!fine)
		answer_error(reply, 400, reading.error.code, "%s", reading.error.detail);
	else
		fine = read_all(&reading, filter);
	document_close(&reading.document);
	filter->letters.endpoint_id = filter->endpoint_id[0] != '\0' ? filter->endpoint_id : NULL;
	filter->letters.reason = filter->reason[0] != '\0' ? filter->reason : NULL;
	filter->letters.topic_like = topic_filter_like(&filter->topic);
	return fine;
}
