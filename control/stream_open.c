/*
 * The place to resume from is in the header Last-Event-ID, or in the query for clients that cannot set headers: the id
 * of a frame, or the id of an event. The store is not asked: EventSource gives up at any status but 200, so a stream
 * begins even while the store is away.
 */
#include "control/stream_open.h"

#include <string.h>

#include "control/filters.h"
#include "control/query.h"
#include "control/stream_feed.h"
#include "control/stream_sources.h"
#include "control/streams.h"

#define RETRY_AFTER_SECONDS 5

/* ---- the place ---- */

bool
stream_last_id(const struct request *request, char text[QUERY_VALUE_BYTES], struct reply *reply)
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

/* Sets the stream's beginning: in step, behind a place or behind an event. false: the request has been answered. */
static bool
read_place(const struct request *request, struct stream *stream, struct reply *reply)
{
	struct stream_reading *events = &stream->readings[STREAM_EVENTS];
	char text[QUERY_VALUE_BYTES];

	if (!stream_last_id(request, text, reply))
		return false;
	events->in_step = text[0] == '\0';
	if (events->in_step || stream_resume_read(text, &events->place))
		return true;
	if (object_id_read((struct span){text, strlen(text)}, stream->after_event))
		return true;
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

void
stream_begin(struct streams *streams, struct stream *stream, struct reply *reply)
{
	int rc = streams_add(streams, stream);

	if (rc == 0) {
		reply->status = 200;
		reply->stream = stream;
		return;
	}
	stream_free(stream);
	reply->retry_after_seconds = rc == STREAMS_UNAVAILABLE ? 0 : RETRY_AFTER_SECONDS;
	if (rc == STREAMS_TENANT_FULL)
		answer_error(reply, 429, "rate_limited", "the tenant has %u streams on this node: no more are served",
		    STREAMS_TENANT_MAX);
	else if (rc == STREAMS_FULL)
		answer_error(reply, 503, "overloaded", "this node serves %u streams: no more for now", STREAMS_MAX);
	else if (rc == STREAMS_UNAVAILABLE)
		answer_error(reply, 404, "event_stream_disabled", "%s", streams_unavailable(streams));
	else
		answer_error(reply, 503, "overloaded", "the service stops: no stream begins");
}

void
stream_open(const struct request *request, struct reply *reply)
{
	struct stream *stream = stream_new(request->caller.tenant_id);

	if (filter_topic(request, &stream->topic, reply) && read_kinds(request, stream, reply) &&
	    read_place(request, stream, reply))
		stream_begin(request->context->streams, stream, reply);
	else
		stream_free(stream);
}
