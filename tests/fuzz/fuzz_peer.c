/*
 * Arbitrary frames of an acceptor to control, which answers them. An input is a row of steps: each is a byte that
 * selects the step, and bytes that are its details. For every input, after each step:
 *
 *   - control's counts of open calls and of bytes of replies are those of its calls;
 *   - everything that it sends is a frame, with control as its sender;
 *
 * and when another acceptor says HELLO, nothing of the first one is left.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/channel.h"
#include "base/log.h"
#include "control/peer.h"
#include "tests/fuzz/target.h"

#define CONTROL 7u /* start counts */
#define ACCEPTOR 3u
#define STEPS_MAX 200

static struct workers workers;
static struct peers peers;
static struct peer peer;
static struct process_slot slot;
static struct call *held; /* a worker has it */
static int ends[2] = {-1, -1};

struct input {
	const uint8_t *at, *end;
};

static uint8_t
take_byte(struct input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

static struct span
take_bytes(struct input *input)
{
	size_t len = take_byte(input), left = (size_t)(input->end - input->at);
	struct span bytes = {(const char *)input->at, len < left ? len : left};

	input->at += bytes.len;
	return bytes;
}

/* ---- the acceptor ---- */

static void
send_bytes(struct span bytes)
{
	struct channel_message message = {.bytes = (void *)(uintptr_t)bytes.base, .len = bytes.len};
	struct error err;

	if (bytes.len > 0)
		(void)channel_send(ends[0], &message, &err);
}

static void
send_frame(struct frame frame)
{
	struct bytes out = {0};

	frame_write(&out, &frame);
	send_bytes((struct span){out.base, out.len});
	bytes_free(&out);
}

static void
send_some_frame(struct input *input)
{
	static const uint32_t senders[] = {ACCEPTOR, ACCEPTOR, ACCEPTOR, ACCEPTOR + 1};
	static const uint32_t receivers[] = {CONTROL, CONTROL, CONTROL, 0};
	uint8_t how = take_byte(input);

	send_frame((struct frame){.kind = (enum frame_kind)((how & 7) % FRAME_KINDS),
	    .end = (how & 0x80) != 0,
	    .sender = senders[how >> 3 & 3],
	    .receiver = receivers[how >> 5 & 3],
	    .request = take_byte(input),
	    .payload = take_bytes(input)});
}

static void
send_request(struct input *input)
{
	struct bytes payload = {0};
	uint8_t number = take_byte(input), how = take_byte(input);

	assert(frame_write_request(
	    &payload, &(struct frame_request){.operation = (enum api_operation)(how % API_OPERATIONS)}));
	send_frame((struct frame){.kind = FRAME_REQUEST,
	    .end = (how & 0x80) != 0,
	    .sender = ACCEPTOR,
	    .receiver = CONTROL,
	    .request = number,
	    .payload = {payload.base, payload.len}});
	bytes_free(&payload);
}

static void
send_credit(struct input *input)
{
	struct bytes payload = {0};
	uint32_t bytes = (uint32_t)take_byte(input) << take_byte(input) % 25;

	frame_write_credit(&payload, bytes);
	send_frame((struct frame){.kind = FRAME_CREDIT,
	    .sender = ACCEPTOR,
	    .receiver = CONTROL,
	    .request = take_byte(input),
	    .payload = {payload.base, payload.len}});
	bytes_free(&payload);
}

static void
receive_all(void)
{
	static char received[FRAME_BYTES_MAX];
	struct frame frame;
	struct error err;

	for (;;) {
		struct channel_message message = {.bytes = received, .len = sizeof received};

		if (channel_receive(ends[0], &message, &err) != 0)
			return;
		assert(frame_read((struct span){received, message.len}, &frame));
		assert(frame.sender == CONTROL && frame.kind != FRAME_REQUEST && frame.kind != FRAME_CREDIT);
	}
}

/* ---- control ---- */

/* The worker takes a call, or answers the one that it has. */
static void
work(size_t bytes)
{
	struct call *call = held;

	if (call == NULL) {
		held = call_queue_take(&workers.queue, 0);
		return;
	}
	held = NULL;
	call->reply.status = 200;
	memset(bytes_reserve(&call->reply.body, bytes + 1), 'x', bytes);
	call->reply.body.len = bytes;
	peer_finished(call);
}

static void
check_counts(void)
{
	uint32_t open = 0;
	size_t bytes = 0;

	for (uint32_t i = 0; i < PEER_CALLS; i++) {
		const struct call *call = peer.calls[i];

		if (call == NULL)
			continue;
		assert(call->peer == &peer && call->number % PEER_CALLS == i && call->state != CALL_LEFT);
		open++;
		if (call->state == CALL_REPLYING)
			bytes += call->reply.body.len;
	}
	assert(peers.open == open && peers.reply_bytes == bytes);
}

static void
step(struct input *input)
{
	switch (take_byte(input) % 8) {
	case 0:
		send_bytes(take_bytes(input));
		break;
	case 1:
		send_some_frame(input);
		break;
	case 2:
		send_request(input);
		break;
	case 3:
		send_credit(input);
		break;
	case 4:
		work((size_t)take_byte(input) << take_byte(input) % 10);
		break;
	case 5:
		peer_cut_off_stalled(&peer, take_byte(input) % 2 == 0 ? 0 : INT64_MAX);
		break;
	case 6:
		peer_say_bye(&peer);
		break;
	default:
		receive_all();
	}
	peer_receive(&peer);
	peer_send(&peer);
	check_counts();
}

/* Another acceptor says HELLO. Then no client waits for the calls that the workers still have. */
static void
finish(void)
{
	receive_all();
	for (uint32_t start = ACCEPTOR + 2; start < ACCEPTOR + 4; start++)
		send_frame((struct frame){.kind = FRAME_HELLO, .sender = start, .receiver = CONTROL});
	peer_receive(&peer);
	check_counts();
	assert(peers.open == 0 && peers.reply_bytes == 0);
	assert(call_queue_count(&workers.queue) == 0);
	if (held != NULL)
		work(0);
	peer_send(&peer);
	receive_all();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	struct error err;

	if (ends[0] < 0) {
		assert(channel_open(ends, FRAMES_BUFFER_BYTES, &err) == 0);
		log_init("fuzz", LOG_ERROR, LOG_TEXT);
		call_queue_init(&workers.queue, 4);
	}
	peers = (struct peers){.workers = &workers, .start = CONTROL, .timeout_us = 10 * 1000 * 1000};
	peer_init(&peer, &peers, ends[1], &slot);
	send_frame((struct frame){.kind = FRAME_HELLO, .sender = ACCEPTOR, .receiver = CONTROL});
	peer_receive(&peer);
	peer_send(&peer);
	for (int i = 0; i < STEPS_MAX && input.at < input.end; i++)
		step(&input);
	finish();
	return 0;
}
