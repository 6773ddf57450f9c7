/*
 * A reply's body passes through two buffers: libh2o writes one while the other fills. Control gets credit for written
 * bytes.
 */
#include "server/control_call.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "api/scopes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "server/connection.h"
#include "server/exchange.h"
#include "server/h2o_compat.h"
#include "server/reply.h"
#include "shm/counters.h"
#include "shm/key_table.h"

static const char late[] =
    "The management API did not answer in time. The request may or may not have been carried out";

static struct control_call **
place_of(struct control_calls *calls, uint32_t number)
{
	return &calls->places[number % FRAME_PLACES];
}

/* Whether the request is for a stream. */
static bool
is_stream(const struct control_call *call)
{
	return operation_is_stream(call->exchange->match.route->operation);
}

/* Whether the reply is a stream and not a refusal. */
static bool
has_stream(const struct control_call *call)
{
	return call->length == FRAME_LENGTH_OPEN;
}

static void
count_open(struct control_calls *calls)
{
	level_set(calls->slot, LEVEL_CONTROL_IN_FLIGHT, calls->open - calls->streams);
}

void
control_calls_init(struct control_calls *calls)
{
	h2o_linklist_init_anchor(&calls->waiting);
	count_open(calls);
}

bool
control_call_number(struct control_calls *calls, bool of_stream, uint32_t *number)
{
	if (of_stream ? calls->streams >= FRAME_STREAMS_MAX : calls->open - calls->streams >= FRAME_REQUESTS_MAX)
		return false;
	do
		*number = calls->made++;
	while (*place_of(calls, *number) != NULL);
	return true;
}

/* Sends a frame of a call to its control. */
static void
send_frame(const struct control_call *call, enum frame_kind kind, struct span payload)
{
	control_outbox_send(&call->all->outbox, &(struct frame){.kind = kind,
						    .sender = call->all->start,
						    .receiver = call->peer,
						    .request = call->number,
						    .payload = payload});
}

void
control_call_ask(struct control_call *call, uint32_t peer)
{
	assert(call->state == CONTROL_CALL_KEPT && peer != 0);
	call->state = CONTROL_CALL_ASKED;
	call->peer = peer;
	frame_list_address(&call->frames, peer);
	control_outbox_send_list(&call->all->outbox, &call->frames);
	bytes_free(&call->frames);
}

struct control_call *
control_call_of(struct control_calls *calls, const struct frame *frame)
{
	struct control_call *call = *place_of(calls, frame->request);

	return call != NULL && call->number == frame->request && call->peer == frame->sender ? call : NULL;
}

/* ---- the end of a call ---- */

static void
end_wait(struct control_call *call)
{
	if (h2o_linklist_is_linked(&call->link))
		h2o_linklist_unlink(&call->link);
}

/* Frees the call. The caller answers its request. */
static void
forget(struct control_call *call)
{
	end_wait(call);
	*place_of(call->all, call->number) = NULL;
	call->all->open--;
	call->all->streams -= is_stream(call);
	count_open(call->all);
	bytes_free(&call->frames);
	bytes_free(&call->buffers[0]);
	bytes_free(&call->buffers[1]);
	free(call);
}

/* Frees a call that control is still working on. */
static void
cancel(struct control_call *call)
{
	if (call->state != CONTROL_CALL_KEPT)
		send_frame(call, FRAME_CANCEL, (struct span){NULL, 0});
	forget(call);
}

void
control_refuse(struct exchange *exchange, const char *code, const char *text)
{
	reply_add_header(exchange->req, "Retry-After", H2O_STRLIT("1"));
	reply_api_error(exchange->req, 503, code, text);
}

/* Closes the connection of a reply that has begun. */
static void
close_connection(const struct control_call *call)
{
	(void)shutdown(h2o_socket_get_fd(libh2o_socket_of(call->exchange->req->conn)), SHUT_RDWR);
}

/*
 * Ends a stream while libh2o writes nothing, with a comment as its last bytes. Within a frame of events, a comment
 * would complete the frame, and the client would skip an event that it has not received in full; then cuts the stream
 * off instead.
 */
static void
end_stream(struct control_call *call)
{
	static char comment[] = ":\n\n";
	h2o_iovec_t last = {comment, sizeof comment - 1};
	h2o_req_t *req = call->exchange->req;
	bool within_frame = call->within_frame;

	assert(call->state == CONTROL_CALL_SENDING && !call->writing);
	cancel(call);
	if (within_frame) {
		h2o_send(req, NULL, 0, H2O_SEND_STATE_ERROR);
		return;
	}
	h2o_send(req, &last, 1, H2O_SEND_STATE_FINAL);
	connection_answered(req);
}

void
control_call_break_off(struct control_call *call, const char *text)
{
	struct exchange *exchange = call->exchange;

	switch (call->state) {
	case CONTROL_CALL_KEPT:
	case CONTROL_CALL_ASKED:
	case CONTROL_CALL_ANSWERED:
		if (call->state == CONTROL_CALL_ANSWERED)
			exchange->req->res.headers.size = call->headers; /* remove the headers of the lost reply */
		forget(call);
		control_refuse(exchange, "control_unavailable", text);
		break;
	case CONTROL_CALL_SENDING:
		if (call->writing) {
			call->state = CONTROL_CALL_BROKEN; /* on_stop() follows */
			close_connection(call);
		} else if (has_stream(call)) {
			end_stream(call);
		} else {
			forget(call);
			h2o_send(exchange->req, NULL, 0, H2O_SEND_STATE_ERROR);
		}
		break;
	case CONTROL_CALL_BROKEN:
		break;
	}
}

/* ---- replies ---- */

static void
observe(const struct control_call *call)
{
	if (!is_stream(call))
		histogram_add(
		    call->all->slot, HISTOGRAM_MANAGEMENT, (uint64_t)(clock_steady_us() - call->exchange->begun_us));
}

/*
 * Whether the text ends with a whole frame of server-sent events, by an empty line. An end split over two parts is
 * missed, which is harmless.
 */
static bool
ends_frame(const struct bytes *text)
{
	return text->len >= 2 && memcmp(text->base + text->len - 2, "\n\n", 2) == 0;
}

/* Passes the received bytes, at least one, to libh2o. It may end the call. */
static void
write_next(struct control_call *call)
{
	h2o_req_t *req = call->exchange->req;
	struct bytes *next = &call->buffers[!call->written];
	h2o_iovec_t body = {next->base, next->len};

	assert(!call->writing && next->len > 0);
	if (call->state == CONTROL_CALL_ANSWERED && has_stream(call))
		reply_begin_stream(req, &call->generator);
	else if (call->state == CONTROL_CALL_ANSWERED)
		reply_begin(req, call->status, call->length, &call->generator);
	call->state = CONTROL_CALL_SENDING;
	if (call->whole) {
		body = h2o_strdup(&req->pool, next->base, next->len);
		observe(call);
		forget(call);
		h2o_send(req, &body, 1, H2O_SEND_STATE_FINAL);
		connection_answered(req);
		return;
	}
	call->within_frame = !ends_frame(next);
	call->written = !call->written;
	call->writing = true;
	call->moved_us = clock_steady_us();
	h2o_send(req, &body, 1, H2O_SEND_STATE_IN_PROGRESS);
}

/* libh2o has written the last bytes. */
static void
on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
	struct control_call *call = (struct control_call *)generator;
	struct bytes *written = &call->buffers[call->written], payload = {0};

	call->writing = false;
	if (call->state == CONTROL_CALL_BROKEN) {
		/* The kernel had accepted all bytes before the connection was closed, so no write has failed. */
		forget(call);
		h2o_send(req, NULL, 0, H2O_SEND_STATE_ERROR);
		return;
	}
	if (call->ends && has_stream(call)) {
		end_stream(call);
		return;
	}
	if (!call->whole) {
		frame_write_credit(&payload, (uint32_t)written->len);
		send_frame(call, FRAME_CREDIT, (struct span){payload.base, payload.len});
		bytes_free(&payload);
	}
	written->len = 0;
	if (call->buffers[!call->written].len > 0)
		write_next(call);
}

/* The client has gone. */
static void
on_stop(h2o_generator_t *generator, h2o_req_t *req)
{
	cancel((struct control_call *)generator);
}

/* Whether the client's copy is current (If-None-Match). */
static bool
is_known(const h2o_req_t *req, const struct frame_reply *reply)
{
	return reply->status == 200 && reply->etag.base != NULL && reply_is_known(req, reply->etag);
}

static void
add_headers(h2o_req_t *req, const struct frame_reply *reply)
{
	char seconds[16];

	if (reply->etag.base != NULL) {
		h2o_iovec_t etag = h2o_strdup(&req->pool, reply->etag.base, reply->etag.len);

		reply_add_header(req, "ETag", etag.base, etag.len);
	}
	if (reply->retry_after_seconds > 0) {
		int len = snprintf(seconds, sizeof seconds, "%u", reply->retry_after_seconds);
		h2o_iovec_t value = h2o_strdup(&req->pool, seconds, (size_t)len);

		reply_add_header(req, "Retry-After", value.base, value.len);
	}
}

static void
on_head(struct control_call *call, const struct frame *frame)
{
	struct exchange *exchange = call->exchange;
	h2o_req_t *req = exchange->req;
	struct frame_reply reply;
	bool bodiless;

	if (call->state != CONTROL_CALL_ASKED)
		return;
	if (!frame_read_reply(frame->payload, &reply) || frame->end != (reply.length == 0)) {
		cancel(call);
		control_refuse(exchange, "control_unavailable", late);
		return;
	}
	end_wait(call);
	call->state = CONTROL_CALL_ANSWERED;
	call->status = (int)reply.status;
	call->length = reply.length;
	call->headers = req->res.headers.size;
	add_headers(req, &reply);
	bodiless = is_known(req, &reply);
	if (!frame->end && !bodiless && !h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD")))
		return; /* the body follows */
	observe(call);
	if (frame->end)
		forget(call);
	else
		cancel(call);
	if (bodiless)
		reply_without_body(req, 304, SIZE_MAX);
	else if (reply.status == 204)
		reply_nothing(req);
	else
		reply_without_body(req, (int)reply.status, reply.length);
}

/* Whether the BODY frame is valid: not beyond the length, and END exactly at the end. */
static bool
fits(const struct control_call *call, const struct frame *frame)
{
	if (frame->payload.len == 0 || call->whole)
		return false;
	return has_stream(call) || (call->received <= call->length && frame->end == (call->received == call->length));
}

static void
on_body(struct control_call *call, const struct frame *frame)
{
	struct bytes *next = &call->buffers[!call->written];

	if (call->state != CONTROL_CALL_ANSWERED && call->state != CONTROL_CALL_SENDING)
		return;
	call->received += frame->payload.len;
	/* Credit limits what control may send. */
	if (!fits(call, frame) || next->len + frame->payload.len > FRAME_CREDIT_FIRST) {
		send_frame(call, FRAME_CANCEL, (struct span){NULL, 0});
		control_call_break_off(call, late);
		return;
	}
	call->whole = frame->end;
	bytes_add(next, frame->payload.base, frame->payload.len);
	if (!call->writing)
		write_next(call);
}

void
control_call_on_frame(struct control_call *call, const struct frame *frame)
{
	if (frame->kind == FRAME_HEAD)
		on_head(call, frame);
	else if (frame->kind == FRAME_BODY)
		on_body(call, frame);
	else if (frame->kind == FRAME_CANCEL)
		control_call_break_off(call, late);
}

/* ---- beginning and giving up ---- */

struct control_call *
control_call_new(struct control_calls *calls, struct exchange *exchange, uint32_t number, struct bytes frames)
{
	struct control_call *call = mem_new(1, sizeof *call);

	*call = (struct control_call){
	    .generator = {on_proceed, on_stop}, .all = calls, .exchange = exchange, .number = number, .frames = frames};
	*place_of(calls, number) = call;
	h2o_linklist_insert(&calls->waiting, &call->link);
	calls->open++;
	calls->streams += is_stream(call);
	count_open(calls);
	return call;
}

void
control_calls_end_late(struct control_calls *calls, int64_t before_us)
{
	h2o_linklist_t *next;

	for (h2o_linklist_t *at = calls->waiting.next; at != &calls->waiting; at = next) {
		struct control_call *call = H2O_STRUCT_FROM_MEMBER(struct control_call, link, at);
		struct exchange *exchange = call->exchange;

		next = at->next;
		if (exchange->begun_us + frame_patience_ms(exchange->match.route->operation) * 1000 > before_us)
			continue;
		cancel(call);
		control_refuse(exchange, "control_unavailable", late);
	}
}

void
control_calls_end_stalled(struct control_calls *calls, int64_t before_us)
{
	for (uint32_t i = 0; i < FRAME_PLACES; i++) {
		struct control_call *call = calls->places[i];

		if (call != NULL && call->state == CONTROL_CALL_SENDING && call->writing && call->moved_us <= before_us)
			control_call_break_off(call, late);
	}
}

/* ---- streams ---- */

static void
end_soon(struct control_call *call)
{
	call->ends = true;
	if (call->state == CONTROL_CALL_SENDING && !call->writing && has_stream(call))
		end_stream(call);
}

void
control_calls_end_streams(struct control_calls *calls)
{
	for (uint32_t i = 0; i < FRAME_PLACES && calls->streams > 0; i++)
		if (calls->places[i] != NULL && is_stream(calls->places[i]))
			end_soon(calls->places[i]);
}

/* Whether the key still permits the stream. */
static bool
is_good(const struct key_table *keys, const struct api_key *key)
{
	struct api_key now;
	int rc = key_table_find(keys, key->hash, &now);

	if (rc != 0)
		return rc == KEY_NOT_LOADED;
	return now.expires_ms > clock_wall_us() / 1000 && scopes_allow(now.scopes, SCOPE_STREAM_SUBSCRIBE);
}

void
control_calls_end_revoked(struct control_calls *calls, const struct key_table *keys)
{
	for (uint32_t i = 0; i < FRAME_PLACES && calls->streams > 0; i++) {
		struct control_call *call = calls->places[i];

		if (call != NULL && is_stream(call) && !is_good(keys, call->exchange->key))
			end_soon(call);
	}
}
