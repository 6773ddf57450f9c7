/* Control's side of the frames of streams. */
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

static void
ring(void *context)
{
}

/* Returns a stream that answers a call. */
static struct stream *
begin_stream(void)
{
	struct stream *stream = stream_new("acme");
	struct call *call;

	stream->ring = ring;
	shake_hands();
	request(1, 0, CONTROL, false);
	turn();
	call = take();
	call->reply.status = 200;
	call->reply.stream = stream;
	peer_finished(call);
	return stream;
}

static void
test_a_stream_is_sent_as_text_comes_and_ends_with_the_last(void **state)
{
	struct stream *stream = begin_stream();
	static char data[] = "data: 1\n\n";
	struct bytes text = {.base = data, .len = sizeof data - 1};
	struct frame_reply head;
	struct frame frame;

	turn();
	assert_true(hear(&frame));
	assert_int_equal(frame.kind, FRAME_HEAD);
	assert_false(frame.end);
	assert_true(frame_read_reply(frame.payload, &head));
	assert_true(head.length == FRAME_LENGTH_OPEN);
	assert_false(hear(&frame));

	stream_add(stream, &text);
	turn();
	assert_true(hear(&frame));
	assert_int_equal(frame.kind, FRAME_BODY);
	assert_false(frame.end);
	assert_memory_equal(frame.payload.base, text.base, text.len);
	peer_cut_off_stalled(&peer, clock_steady_us() + 2 * READER_PATIENCE_US); /* its reader has all of its text */
	turn();
	assert_false(hear(&frame));

	stream_end(stream);
	assert_false(stream_is_left(stream));
	turn();
	assert_true(hear(&frame));
	assert_true(frame.end);
	assert_memory_equal(frame.payload.base, ":\n\n", 3);
	assert_int_equal(peers.open, 0);
	assert_true(stream_is_left(stream));
	stream_free(stream);
}

static void
test_a_stream_that_is_not_read_is_cut_off(void **state)
{
	struct stream *stream = begin_stream();
	struct bytes text = {0};
	struct frame frame;
	uint32_t bodies = 0;

	memset(bytes_reserve(&text, 2 * FRAME_CREDIT_FIRST), 'x', 2 * FRAME_CREDIT_FIRST);
	text.len = 2 * FRAME_CREDIT_FIRST;
	stream_add(stream, &text);
	assert_false(stream_has_room(stream));
	turn();
	while (hear(&frame))
		bodies += frame.kind == FRAME_BODY;
	assert_int_equal(bodies, FRAME_CREDIT_FIRST / FRAME_BODY_BYTES);
	peer_cut_off_stalled(&peer, clock_steady_us() + 2 * READER_PATIENCE_US);
	turn();
	assert_true(hear(&frame));
	assert_int_equal(frame.kind, FRAME_CANCEL);
	assert_int_equal(peers.open, 0);
	assert_true(stream_is_left(stream));
	stream_free(stream);
	bytes_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    PEER_TEST(test_a_stream_is_sent_as_text_comes_and_ends_with_the_last),
	    PEER_TEST(test_a_stream_that_is_not_read_is_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
