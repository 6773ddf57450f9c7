/*
 * Control's HELLO and its slot show whether it lives. The channel does not show its death, because the master holds
 * both ends.
 */
#include "server/control_link.h"

#include <assert.h>

#include "base/channel.h"
#include "base/clock.h"
#include "base/log.h"
#include "server/control_request.h"
#include "server/exchange.h"
#include "shm/counters.h"

/* The wait for a reply beyond control's own limit. */
#define BEYOND_CONTROL_US (2 * 1000 * 1000)
/* A client that reads nothing of its reply for this long is cut off. */
#define READER_PATIENCE_US (10 * 1000 * 1000)
/* How long requests are kept for a control that is absent without a BYE. */
#define WAITING_US (2 * 1000 * 1000)
/* The intervals for checking deadlines and for retrying a full channel. */
#define LOOK_MS 100
#define FULL_MS 5
/* The interval for checking the keys of streams. */
#define KEYS_US (1000 * 1000)
#define FRAMES_A_TURN 256

static const char unavailable[] = "Control, which answers the management API, is not there; it is started again";
static const char gone[] = "Control, which answers the management API, has died over the request; it is started again. "
			   "The request may or may not have been carried out";
static const char stopping[] = "The service stops. The request may or may not have been carried out";

/* ---- control's start and end ---- */

static bool
lives(const struct control_link *link, uint32_t peer)
{
	return slot_starts(link->control) == peer && slot_state(link->control) != PROCESS_DOWN;
}

/* Ends the calls of a dead control. */
static void
end_calls_of_the_dead(struct control_link *link)
{
	for (uint32_t i = 0; i < FRAME_PLACES; i++) {
		struct control_call *call = link->calls.places[i];

		if (call != NULL && call->state != CONTROL_CALL_KEPT && !lives(link, call->peer))
			control_call_break_off(call, gone);
	}
}

static void
refuse_kept(struct control_link *link)
{
	for (uint32_t i = 0; i < FRAME_PLACES; i++)
		if (link->calls.places[i] != NULL && link->calls.places[i]->state == CONTROL_CALL_KEPT)
			control_call_break_off(link->calls.places[i], unavailable);
}

/* Only this function changes the state. */
static void
set_state(struct control_link *link, enum control_link_state state, uint32_t peer)
{
	assert((state == CONTROL_LINK_OPEN) == (peer != 0));
	link->state = state;
	link->peer = peer;
	link->waiting_since_us = clock_steady_us();
}

static void
say_hello(struct control_link *link, uint32_t receiver)
{
	control_outbox_send(&link->calls.outbox,
	    &(struct frame){.kind = FRAME_HELLO, .sender = link->calls.start, .receiver = receiver});
}

static void
on_hello(struct control_link *link, const struct frame *frame)
{
	if (frame->sender == link->peer || !lives(link, frame->sender))
		return;
	control_outbox_drop(&link->calls.outbox);
	set_state(link, CONTROL_LINK_OPEN, frame->sender);
	end_calls_of_the_dead(link);
	if (frame->receiver != link->calls.start)
		say_hello(link, frame->sender);
	for (uint32_t i = 0; i < FRAME_PLACES; i++)
		if (link->calls.places[i] != NULL && link->calls.places[i]->state == CONTROL_CALL_KEPT)
			control_call_ask(link->calls.places[i], link->peer);
}

/* Control is ending and will finish its requests. New ones wait for its successor. */
static void
on_bye(struct control_link *link)
{
	control_outbox_send(&link->calls.outbox,
	    &(struct frame){.kind = FRAME_BYE, .sender = link->calls.start, .receiver = link->peer});
	set_state(link, CONTROL_LINK_WAITING, 0);
}

static void
on_frame(struct control_link *link, const struct frame *frame)
{
	struct control_call *call;

	if (frame->receiver != link->calls.start && (frame->kind != FRAME_HELLO || frame->receiver != 0))
		return; /* for a predecessor */
	if (frame->kind == FRAME_HELLO)
		on_hello(link, frame);
	else if (frame->kind == FRAME_BYE && frame->sender == link->peer)
		on_bye(link);
	else if ((call = control_call_of(&link->calls, frame)) != NULL)
		control_call_on_frame(call, frame);
}

static void
on_readable(h2o_socket_t *socket, const char *err)
{
	static char bytes[FRAME_BYTES_MAX];
	struct control_link *link = socket->data;

	for (int i = 0; i < FRAMES_A_TURN; i++) {
		struct channel_message message = {.bytes = bytes, .len = sizeof bytes};
		struct frame frame;
		struct error reason;
		int rc = channel_receive(link->calls.outbox.fd, &message, &reason);

		if (rc > 0)
			return;
		if (rc == 0 && frame_read((struct span){bytes, message.len}, &frame)) {
			on_frame(link, &frame);
			continue;
		}

		uint64_t times = repeat_met(&link->malformed, clock_steady_us());

		if (times > 0)
			log_warning("a frame of control cannot be read: dropped", LOG_UINT("times", times));
		if (rc < 0)
			return;
	}
}

/* ---- the acceptor's side ---- */

void
control_link_open(
    struct control_link *link, const struct config *config, const struct segment *segment, uint32_t index, int fd)
{
	struct process_slot *slot = segment_slot(segment, ROLE_ACCEPTOR, index);

	*link = (struct control_link){
	    .config = config,
	    .control = segment->counts[ROLE_CONTROL] > 0 ? segment_slot(segment, ROLE_CONTROL, 0) : NULL,
	    .keys = segment->keys,
	    .calls = {.slot = slot, .outbox = {.fd = fd}, .start = slot_starts(slot)},
	};
	control_calls_init(&link->calls);
	set_state(link, link->control != NULL ? CONTROL_LINK_WAITING : CONTROL_LINK_DOWN, 0);
}

void
control_link_watch(struct control_link *link, h2o_loop_t *loop)
{
	if (link->control == NULL)
		return;
	link->socket = h2o_evloop_socket_create(loop, link->calls.outbox.fd, H2O_SOCKET_FLAG_DONT_READ);
	link->socket->data = link;
	h2o_socket_read_start(link->socket, on_readable);
	say_hello(link, 0);
}

/* Notices that control has died or does not start. */
static void
look_for_control(struct control_link *link, int64_t now_us)
{
	if (link->control == NULL || link->state == CONTROL_LINK_DOWN)
		return;
	if (link->state == CONTROL_LINK_OPEN && lives(link, link->peer))
		return;
	if (link->state == CONTROL_LINK_WAITING) {
		if (slot_state(link->control) == PROCESS_DRAINING)
			link->waiting_since_us = now_us;
		if (now_us - link->waiting_since_us < WAITING_US)
			return;
	}
	control_outbox_drop(&link->calls.outbox);
	set_state(link, CONTROL_LINK_DOWN, 0);
	end_calls_of_the_dead(link);
	refuse_kept(link);
}

void
control_link_forward(struct control_link *link, struct exchange *exchange)
{
	struct bytes frames = {0};
	const bool is_stream = operation_is_stream(exchange->match.route->operation);
	struct control_call *call;
	uint32_t number;

	exchange->begun_us = clock_steady_us();
	look_for_control(link, exchange->begun_us);
	if (link->state == CONTROL_LINK_DOWN) {
		control_refuse(exchange, "control_unavailable", unavailable);
		return;
	}
	if (!control_call_number(&link->calls, is_stream, &number)) {
		control_refuse(exchange, "overloaded",
		    is_stream ? "This process has as many streams as it takes; try again"
			      : "Too many requests of the management API are under way; try again");
		return;
	}
	if (!control_request_write(exchange, link->config, link->calls.start, number, &frames))
		return;
	call = control_call_new(&link->calls, exchange, number, frames);
	if (link->state == CONTROL_LINK_OPEN)
		control_call_ask(call, link->peer);
}

int32_t
control_link_step(struct control_link *link, int64_t now_us, int32_t most_ms)
{
	int64_t limit_us = (int64_t)link->config->store_timeout_ms * 1000 + BEYOND_CONTROL_US;

	if (!control_outbox_flush(&link->calls.outbox) && most_ms > FULL_MS)
		most_ms = FULL_MS;
	if (link->calls.open == 0)
		return most_ms;
	if (now_us >= link->look_at_us) {
		link->look_at_us = now_us + LOOK_MS * 1000;
		look_for_control(link, now_us);
		end_calls_of_the_dead(link);
		control_calls_end_late(&link->calls, now_us - limit_us);
		control_calls_end_stalled(&link->calls, now_us - READER_PATIENCE_US);
	}
	if (now_us >= link->look_at_keys_us && link->keys != NULL) {
		link->look_at_keys_us = now_us + KEYS_US;
		control_calls_end_revoked(&link->calls, link->keys);
	}
	return most_ms < LOOK_MS ? most_ms : LOOK_MS;
}

void
control_link_end_streams(struct control_link *link)
{
	control_calls_end_streams(&link->calls);
}

bool
control_link_give_up(struct control_link *link)
{
	bool any = link->calls.open > 0;

	for (uint32_t i = 0; i < FRAME_PLACES; i++)
		if (link->calls.places[i] != NULL)
			control_call_break_off(link->calls.places[i], stopping);
	return any;
}
