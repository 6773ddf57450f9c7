/* Parses frames, keeps calls, and sends replies a frame at a time, in turns. */
#include "control/peer.h"

#include <assert.h>
#include <string.h>

#include "base/channel.h"
#include "base/clock.h"
#include "base/log.h"

#define RETRY_AFTER_SECONDS 1
/* The most frames taken from one acceptor in a turn of the loop. */
#define FRAMES_A_TURN 256

void
peer_init(struct peer *peer, struct peers *all, int fd, const struct process_slot *slot)
{
	*peer = (struct peer){.all = all, .fd = fd, .slot = slot, .owes_hello = true};
}

static struct call **
place_of(struct peer *peer, uint32_t number)
{
	return &peer->calls[number % PEER_CALLS];
}

static bool
is_stream(const struct call *call)
{
	return call->reply.stream != NULL;
}

static void
free_reply(struct call *call)
{
	if (call->state == CALL_REPLYING && !is_stream(call))
		call->peer->all->reply_bytes -= call->reply.body.len;
	bytes_free(&call->reply.body);
}

/* Ends the call. */
static void
end_call(struct call *call)
{
	*place_of(call->peer, call->number) = NULL;
	call->peer->all->open--;
	free_reply(call);
	call_free(call);
}

/* Handles a call for which nobody waits any more. */
static void
leave_call(struct call *call)
{
	struct peer *peer = call->peer;

	if (call->state == CALL_WORKING && !workers_take_back(peer->all->workers, call)) {
		*place_of(peer, call->number) = NULL;
		peer->all->open--;
		call->peer = NULL;
		call->state = CALL_LEFT;
		return;
	}
	end_call(call);
}

static void
leave_all(struct peer *peer)
{
	for (uint32_t i = 0; i < PEER_CALLS; i++)
		if (peer->calls[i] != NULL)
			leave_call(peer->calls[i]);
}

/* Cuts the reply off, and informs the acceptor. */
static void
cut_off(struct call *call)
{
	free_reply(call);
	call->state = CALL_CUT_OFF;
}

static void
begin_reply(struct call *call)
{
	call->state = CALL_REPLYING;
	call->credit = FRAME_CREDIT_FIRST;
	call->moved_us = clock_steady_us();
	call->peer->all->reply_bytes += call->reply.body.len;
}

static void
refuse(struct call *call)
{
	bytes_free(&call->reply.body);
	call->reply = (struct reply){.retry_after_seconds = RETRY_AFTER_SECONDS};
	answer_error(&call->reply, 503, "overloaded", "The management API has too much to do; try again");
	begin_reply(call);
}

/* Gives a completely received request to the workers. */
static void
submit(struct call *call)
{
	call->state = CALL_WORKING;
	if (!workers_give(call->peer->all->workers, call))
		refuse(call);
}

/* ---- frames of the acceptor ---- */

static void
on_request(struct peer *peer, const struct frame *frame)
{
	struct call **place = place_of(peer, frame->request);
	struct call *call = mem_new(1, sizeof *call);

	if (*place != NULL)
		leave_call(*place);
	*place = call;
	*call = (struct call){
	    .peer = peer, .number = frame->request, .deadline_us = clock_steady_us() + peer->all->timeout_us};
	peer->all->open++;
	bytes_add(&call->head, frame->payload.base, frame->payload.len);
	if (!frame_read_request((struct span){call->head.base, call->head.len}, &call->request))
		cut_off(call);
	else if (frame->end)
		submit(call);
}

static void
on_body(struct call *call, const struct frame *frame)
{
	if (call->state != CALL_RECEIVING)
		return;
	if (call->body.len + frame->payload.len > frame_body_max(call->request.operation)) {
		cut_off(call);
		return;
	}
	bytes_add(&call->body, frame->payload.base, frame->payload.len);
	if (frame->end)
		submit(call);
}

static void
on_credit(struct call *call, const struct frame *frame)
{
	uint32_t bytes;

	if (!frame_read_credit(frame->payload, &bytes))
		return;
	call->credit += bytes;
	call->moved_us = clock_steady_us();
}

static void
on_hello(struct peer *peer, const struct frame *frame)
{
	if (frame->sender != peer->start) {
		leave_all(peer);
		/* An acceptor that knows this process may have sent requests already. */
		peer->start = peer->all->leaving && frame->receiver != peer->all->start ? 0 : frame->sender;
		peer->owes_bye = peer->all->leaving && peer->start != 0;
		peer->said_bye = false;
	}
	if (frame->receiver != peer->all->start && !peer->all->leaving)
		peer->owes_hello = true;
}

static void
on_frame(struct peer *peer, const struct frame *frame)
{
	struct call *call = *place_of(peer, frame->request);

	if (frame->receiver != peer->all->start && (frame->kind != FRAME_HELLO || frame->receiver != 0))
		return; /* meant for a predecessor */
	if (frame->kind == FRAME_HELLO) {
		on_hello(peer, frame);
		return;
	}
	if (frame->sender != peer->start)
		return; /* of a predecessor */
	if (frame->kind == FRAME_REQUEST)
		on_request(peer, frame);
	else if (frame->kind == FRAME_BYE)
		peer->said_bye = true;
	else if (call == NULL || call->number != frame->request)
		return; /* the call has ended */
	else if (frame->kind == FRAME_BODY)
		on_body(call, frame);
	else if (frame->kind == FRAME_CREDIT)
		on_credit(call, frame);
	else if (frame->kind == FRAME_CANCEL)
		leave_call(call);
}

void
peer_receive(struct peer *peer)
{
	static char bytes[FRAME_BYTES_MAX];

	for (int i = 0; i < FRAMES_A_TURN; i++) {
		struct channel_message message = {.bytes = bytes, .len = sizeof bytes};
		struct frame frame;
		struct error err;
		int rc = channel_receive(peer->fd, &message, &err);

		if (rc > 0)
			return;
		if (rc == 0 && frame_read((struct span){bytes, message.len}, &frame)) {
			on_frame(peer, &frame);
			continue;
		}

		uint64_t times = repeat_met(&peer->all->malformed, clock_steady_us());

		if (times > 0)
			log_warning("a frame of an acceptor cannot be read: dropped", LOG_UINT("times", times));
		if (rc < 0)
			return;
	}
}

/* ---- replies ---- */

bool
peers_have_no_room(const struct peers *all, const struct reply *reply)
{
	return reply->body.len > FRAME_CREDIT_FIRST && all->reply_bytes + reply->body.len > REPLIES_BYTES_MAX;
}

void
peer_finished(struct call *call)
{
	if (call->state == CALL_LEFT) {
		call_free(call);
		return;
	}
	if (peers_have_no_room(call->peer->all, &call->reply))
		refuse(call);
	else
		begin_reply(call);
}

/* Returns whether the channel took the frame. */
static bool
send_frame(struct peer *peer, enum frame_kind kind, uint32_t request, bool end, struct span payload)
{
	static struct bytes out;
	struct channel_message message;
	struct error err;

	out.len = 0;
	frame_write(&out, &(struct frame){.kind = kind,
			      .end = end,
			      .sender = peer->all->start,
			      .receiver = peer->start,
			      .request = request,
			      .payload = payload});
	message = (struct channel_message){.bytes = out.base, .len = out.len};
	peer->blocked = channel_send(peer->fd, &message, &err) != 0;
	return !peer->blocked;
}

static bool
send_head(struct call *call)
{
	static struct bytes payload;
	const struct reply *reply = &call->reply;
	const struct span etag = {reply->etag, strlen(reply->etag)}, none = {NULL, 0};

	payload.len = 0;
	frame_write_reply(&payload, &(struct frame_reply){.status = (uint32_t)reply->status,
					.length = is_stream(call) ? FRAME_LENGTH_OPEN : reply->body.len,
					.retry_after_seconds = reply->retry_after_seconds,
					.etag = etag.len > 0 ? etag : none});
	call->head_sent = send_frame(call->peer, FRAME_HEAD, call->number, !is_stream(call) && reply->body.len == 0,
	    (struct span){payload.base, payload.len});
	return call->head_sent;
}

/* Whether the present bytes are the last ones. */
static bool
is_whole(const struct call *call)
{
	return !is_stream(call) || call->is_last;
}

/* Takes new text of a stream after all earlier text was sent. */
static void
take_text(struct call *call)
{
	int64_t now_us = clock_steady_us();

	call->sent = call->reply.body.len = 0;
	call->is_last = stream_take(call->reply.stream, now_us, &call->reply.body);
	if (call->reply.body.len > 0)
		call->moved_us = now_us;
}

/* Sends one frame of the body, if there is credit. Returns whether it did. */
static bool
send_body(struct call *call)
{
	const struct bytes *body = &call->reply.body;
	size_t len;

	if (is_stream(call) && call->sent == body->len)
		take_text(call);
	len = body->len - call->sent;
	if (len > call->credit)
		len = call->credit;
	if (len > FRAME_BODY_BYTES)
		len = FRAME_BODY_BYTES;
	if (len == 0 ||
	    !send_frame(call->peer, FRAME_BODY, call->number, is_whole(call) && call->sent + len == body->len,
		(struct span){body->base + call->sent, len}))
		return false;
	call->sent += len;
	call->credit -= len;
	call->moved_us = clock_steady_us();
	return true;
}

/* Sends one frame of a call, and may end the call. Returns whether it did. */
static bool
send_of_call(struct call *call)
{
	bool sent = false;

	if (call->state == CALL_CUT_OFF)
		sent = send_frame(call->peer, FRAME_CANCEL, call->number, false, (struct span){NULL, 0});
	else if (call->state == CALL_REPLYING)
		sent = call->head_sent ? send_body(call) : send_head(call);
	if (sent && (call->state == CALL_CUT_OFF || (is_whole(call) && call->sent == call->reply.body.len)))
		end_call(call);
	return sent;
}

static void
send_replies(struct peer *peer)
{
	bool any;

	do {
		any = false;
		for (uint32_t i = 0; i < PEER_CALLS && !peer->blocked; i++)
			if (peer->calls[i] != NULL && send_of_call(peer->calls[i]))
				any = true;
	} while (any && !peer->blocked);
}

void
peer_send(struct peer *peer)
{
	const struct span nothing = {NULL, 0};

	peer->blocked = false;
	if (peer->owes_hello && send_frame(peer, FRAME_HELLO, 0, false, nothing))
		peer->owes_hello = false;
	if (!peer->blocked && peer->owes_bye && send_frame(peer, FRAME_BYE, 0, false, nothing))
		peer->owes_bye = false;
	if (!peer->blocked && peer->all->open > 0)
		send_replies(peer);
}

/* ---- readers that take nothing ---- */

static bool
has_waited(const struct call *call, int64_t waited_us, int64_t now_us)
{
	return call != NULL && call->state == CALL_REPLYING && now_us - call->moved_us >= waited_us &&
	       (!is_stream(call) || call->sent < call->reply.body.len);
}

void
peer_cut_off_stalled(struct peer *peer, int64_t now_us)
{
	for (uint32_t i = 0; i < PEER_CALLS; i++)
		if (has_waited(peer->calls[i], READER_PATIENCE_US, now_us))
			cut_off(peer->calls[i]);
}

bool
peer_cut_off_longest(struct peer *peers, uint32_t count, int64_t waited_us, int64_t now_us)
{
	struct call *longest = NULL;

	for (uint32_t p = 0; p < count; p++)
		for (uint32_t i = 0; i < PEER_CALLS; i++) {
			struct call *call = peers[p].calls[i];

			if (has_waited(call, waited_us, now_us) &&
			    (longest == NULL || call->moved_us < longest->moved_us))
				longest = call;
		}
	if (longest != NULL)
		cut_off(longest);
	return longest != NULL;
}

/* ---- the end ---- */

void
peer_say_bye(struct peer *peer)
{
	peer->owes_bye = peer->start != 0;
	peer->owes_hello = peer->owes_hello && peer->start != 0;
}

bool
peer_may_leave(const struct peer *peer)
{
	if (slot_state(peer->slot) == PROCESS_DOWN)
		return true;
	for (uint32_t i = 0; i < PEER_CALLS; i++)
		if (peer->calls[i] != NULL)
			return false;
	return peer->start == 0 || peer->said_bye;
}
