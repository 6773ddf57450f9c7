/* Which hook events a client wants, and from where on. */
#include "control/hook_stream_open.h"

#include "base/clock.h"
#include "control/stream_feed.h"
#include "control/stream_open.h"
#include "control/stream_sources.h"

static void
refuse(const struct request *request, struct reply *reply)
{
	answer_error(reply, 404, "event_stream_disabled", "%s",
	    request->context->config->storage == STORAGE_POSTGRES
		? "streams of hook events are off: EVENT_STREAM_SECONDS turns them on"
		: "hook events that go into files have no stream: STORAGE_TYPE=postgres or sqlite has");
}

/* Whether the log still has all that was stored behind that place. SQLite has no log, and keeps all. */
static bool
is_kept(const struct config *config, const struct stream_place *place)
{
	return config->storage != STORAGE_POSTGRES ||
	       place->us > clock_wall_us() - (int64_t)stream_log_seconds(config) * 1000000;
}

/* Sets where the stream begins: in step, or behind a place. Returns false when the request has been answered. */
static bool
read_place(const struct request *request, struct stream_reading *reading, struct reply *reply)
{
	char text[QUERY_VALUE_BYTES];

	if (!stream_last_id(request, text, reply))
		return false;
	reading->wanted = true;
	reading->in_step = text[0] == '\0';
	if (reading->in_step)
		return true;
	if (!stream_resume_read(text, &reading->place)) {
		answer_error(
		    reply, 400, "validation_error", "Last-Event-ID: it is not the id of a frame of this stream");
		return false;
	}
	if (is_kept(request->context->config, &reading->place))
		return true;
	answer_error(reply, 410, "gone",
	    "Last-Event-ID: it is older than EVENT_STREAM_SECONDS, so events may be missing behind it: connect without "
	    "it");
	return false;
}

void
hook_stream_open(const struct request *request, struct reply *reply)
{
	static const char *const names[] = {"type", "session", "last_event_id", "token", NULL};
	struct stream *stream;

	if (request->context->hook_streams == NULL) {
		refuse(request, reply);
		return;
	}
	stream = stream_new(request->caller.tenant_id);
	if (!query_value(request, "type", stream->hooks.types))
		stream->hooks.types[0] = '\0';
	if (!query_value(request, "session", stream->hooks.session))
		stream->hooks.session[0] = '\0';
	if (query_has_only(request, names, reply) && read_place(request, &stream->readings[STREAM_HOOK_EVENTS], reply))
		stream_begin(request->context->hook_streams, stream, reply);
	else
		stream_free(stream);
}
