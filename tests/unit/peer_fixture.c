/* The two ends of a channel, and frames on it; see the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/channel.h"
#include "base/clock.h"
#include "base/log.h"
#include "peer_fixture.h"

struct workers workers;
struct peers peers;
struct peer peer;
struct process_slot slot;
int ends[2];
static char received[FRAME_BYTES_MAX];

int
peer_fixture_begin(void **state)
{
	struct error err;

	memset(&workers, 0, sizeof workers);
	memset(&slot, 0, sizeof slot);
	call_queue_init(&workers.queue, 4);
	peers = (struct peers){.workers = &workers, .start = CONTROL, .timeout_us = 10 * 1000 * 1000};
	assert_int_equal(channel_open(ends, FRAMES_BUFFER_BYTES, &err), 0);
	slot_set_state(&slot, PROCESS_READY);
	peer_init(&peer, &peers, ends[1], &slot);
	return 0;
}

int
peer_fixture_end(void **state)
{
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* ---- the acceptor ---- */

void
say(struct frame frame)
{
	struct bytes out = {0};
	struct error err;

	if (frame.sender == 0)
		frame.sender = ACCEPTOR;
	frame_write(&out, &frame);
	assert_int_equal(channel_send(ends[0], &(struct channel_message){.bytes = out.base, .len = out.len}, &err), 0);
	bytes_free(&out);
}

bool
hear(struct frame *frame)
{
	struct channel_message message = {.bytes = received, .len = sizeof received};
	struct error err;

	if (channel_receive(ends[0], &message, &err) != 0)
		return false;
	assert_true(frame_read((struct span){received, message.len}, frame));
	assert_int_equal(frame->sender, CONTROL);
	return true;
}

void
turn(void)
{
	peer_receive(&peer);
	peer_send(&peer);
}

void
shake_hands(void)
{
	struct frame frame;

	say((struct frame){.kind = FRAME_HELLO, .receiver = CONTROL});
	turn();
	assert_true(hear(&frame));
	assert_int_equal(frame.kind, FRAME_HELLO);
	assert_false(hear(&frame));
	assert_int_equal(peer.start, ACCEPTOR);
}

void
request(uint32_t number, uint32_t sender, uint32_t receiver, bool has_body)
{
	struct bytes payload = {0};

	assert_true(frame_write_request(&payload, &(struct frame_request){.operation = OPERATION_ENDPOINT_CREATE}));
	say((struct frame){.kind = FRAME_REQUEST,
	    .end = !has_body,
	    .sender = sender,
	    .receiver = receiver,
	    .request = number,
	    .payload = {payload.base, payload.len}});
	bytes_free(&payload);
}

void
credit(uint32_t number, uint32_t bytes)
{
	struct bytes payload = {0};

	frame_write_credit(&payload, bytes);
	say((struct frame){
	    .kind = FRAME_CREDIT, .receiver = CONTROL, .request = number, .payload = {payload.base, payload.len}});
	bytes_free(&payload);
}

/* ---- the worker ---- */

struct call *
take(void)
{
	return call_queue_take(&workers.queue, 0);
}

void
answer(struct call *call, size_t bytes)
{
	call->reply.status = 200;
	memset(bytes_reserve(&call->reply.body, bytes), 'x', bytes);
	call->reply.body.len = bytes;
	peer_finished(call);
}
