/*
 * The place to resume from is in the header Last-Event-ID, or in the query for clients that cannot set headers: the id
 * of a frame, or the id of an event.
 */
#include "control/stream_open.h"

#include <string.h>

#include "control/filters.h"
#include "control/query.h"
#include "control/stream_feed.h"
#include "control/stream_sources.h"
#include "control/streams.h"
#include "store/webhooks/event_lists.h"

#define RETRY_AFTER_SECONDS 5

/* ---- the place ---- */

/* The place as long before that time as transactions may last. */
static struct stream_place
window_before(const struct request *request, int64_t us)
{
	return stream_place_before(us - stream_window_us(request->context->config, STREAM_EVENTS));
}

/* Finds the event's place. If the event is gone its own time will do: no later event was stored before it was made. */
static bool
find_event(const struct request *request, const char *id, struct stream_place *place, struct reply *reply)
{
	struct db_rows *rows = NULL;
	struct error err;
	int rc = event_lists_get(request->db, request->caller.tenant_id, id, time_range_of_id(id), &rows, &err);

	if (rc != 0) {
		answer_store_failed(reply, rc, &err);
		return false;
	}
	*place = window_before(
	    request, db_rows_count(rows) > 0 ? db_rows_int(rows, 0, EVENT_COLUMN_STORED_US) : id_time_ms(id) * 1000);
	db_rows_free(rows);
	return true;
}

/* Reads the text that names the place; "": none. false: the request has been answered. */
static bool
read_last_id(const struct request *request, char text[QUERY_VALUE_BYTES], struct reply *reply)
{
	const struct span header = request->last_event_id;

	if (header.base == NULL || header.len == 0) {
		if (!query_value(request, "last_event_id", text))
			text[0] = '\0';
		return true;
	}
	if (header.len >= QUERY_VALUE_BYTES) {
		answer_error(reply, 400, "validation_error", "Last-Event-ID: it is too long for one of a stream");
		return false;
	}
	memcpy(text, header.base, header.len);
	text[header.len] = '\0';
	return true;
}

/* Sets the stream's beginning: in step, or behind a place. false: the request has been answered. */
static bool
read_place(const struct request *request, struct stream_reading *events, struct reply *reply)
{
	char text[QUERY_VALUE_BYTES], id[OBJECT_ID_BYTES];

	if (!read_last_id(request, text, reply))
		return false;
	events->in_step = text[0] == '\0';
	if (events->in_step || stream_resume_read(text, &events->place))
		return true;
	if (object_id_read((struct span){text, strlen(text)}, id))
		return find_event(request, id, &events->place, reply);
	answer_error(reply, 400, "validation_error",
	    "Last-Event-ID: it is neither the id of a frame of this stream nor that of an event");
	return false;
}

/* ---- kinds ---- */

static bool
read_kinds(const struct request *request, struct stream *stream, struct reply *reply)
{
	static const char *const words[] = {"events", "deliveries", NULL};
	const char *word;

	if (!filter_word(request, "types", words, &word, reply))
		return false;
	stream->readings[STREAM_EVENTS].wanted = word == NULL || word == words[STREAM_EVENTS];
	stream->readings[STREAM_DELIVERIES].wanted = word == NULL || word == words[STREAM_DELIVERIES];
	stream->readings[STREAM_DELIVERIES].in_step = true;
	/* All attempts have this topic. */
	if (!topic_filter_fits(
		&stream->topic, (struct span){STREAM_DELIVERIES_TOPIC, sizeof STREAM_DELIVERIES_TOPIC - 1}))
		stream->readings[STREAM_DELIVERIES].wanted = false;
	return true;
}

static void
begin(const struct request *request, struct stream *stream, struct reply *reply)
{
	int rc = streams_add(request->context->streams, stream);

	if (rc == 0) {
		reply->status = 200;
		reply->stream = stream;
		return;
	}
	stream_free(stream);
	reply->retry_after_seconds = RETRY_AFTER_SECONDS;
	if (rc == STREAMS_TENANT_FULL)
		answer_error(reply, 429, "rate_limited", "the tenant has %u streams on this node: no more are served",
		    STREAMS_TENANT_MAX);
	else if (rc == STREAMS_FULL)
		answer_error(reply, 503, "overloaded", "this node serves %u streams: no more for now", STREAMS_MAX);
	else
		answer_error(reply, 503, "overloaded", "the service stops: no stream begins");
}

void
stream_open(const struct request *request, struct reply *reply)
{
	struct stream *stream = stream_new(request->caller.tenant_id);

	if (filter_topic(request, &stream->topic, reply) && read_kinds(request, stream, reply) &&
	    read_place(request, &stream->readings[STREAM_EVENTS], reply))
		begin(request, stream, reply);
	else
		stream_free(stream);
}
