/* Control's side of the frames. The test plays the acceptor at the other end of the channel, and the worker. */
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

/* ---- tests ---- */

static void
test_frames_for_or_from_a_predecessor_are_dropped(void **state)
{
	request(1, 0, CONTROL, false); /* before HELLO */
	turn();
	assert_null(take());
	shake_hands();
	request(2, 0, CONTROL - 1, false);
	request(3, ACCEPTOR - 1, CONTROL, false);
	say((struct frame){.kind = FRAME_HELLO, .sender = ACCEPTOR - 1, .receiver = CONTROL - 1});
	turn();
	assert_null(take());
	assert_int_equal(peer.start, ACCEPTOR);
	request(4, 0, CONTROL, false);
	turn();

	struct call *call = take();

	assert_non_null(call);
	assert_int_equal(call->number, 4);
	answer(call, 10);
	turn();
	assert_int_equal(peers.open, 0);
}

static void
test_the_hello_of_a_successor_ends_open_requests(void **state)
{
	struct frame frame;
	struct call *worked_on;

	shake_hands();
	request(1, 0, CONTROL, false);
	request(2, 0, CONTROL, false);
	request(3, 0, CONTROL, true);
	turn();
	worked_on = take();
	assert_int_equal(peers.open, 3);
	say((struct frame){.kind = FRAME_HELLO, .sender = ACCEPTOR + 1});
	turn();
	assert_int_equal(peers.open, 0);
	assert_null(take());
	assert_int_equal(worked_on->state, CALL_LEFT);
	answer(worked_on, 10);
	turn();
	assert_true(hear(&frame));
	assert_int_equal(frame.kind, FRAME_HELLO);
	assert_int_equal(frame.receiver, ACCEPTOR + 1);
	assert_false(hear(&frame));
	assert_int_equal(peers.reply_bytes, 0);
}

static void
test_a_body_comes_in_frames_and_has_an_end(void **state)
{
	static char bytes[FRAME_BODY_BYTES];
	struct call *call;

	memset(bytes, 'b', sizeof bytes);
	shake_hands();
	request(1, 0, CONTROL, true);
	say((struct frame){.kind = FRAME_BODY, .receiver = CONTROL, .request = 1, .payload = {bytes, sizeof bytes}});
	say((struct frame){.kind = FRAME_BODY, .receiver = CONTROL, .request = 2, .payload = {bytes, 1}}); /* of none */
	turn();
	assert_null(take());
	say((struct frame){
	    .kind = FRAME_BODY, .end = true, .receiver = CONTROL, .request = 1, .payload = {bytes, sizeof bytes}});
	turn();
	call = take();
	assert_non_null(call);
	assert_int_equal(call->body.len, FRAME_REQUEST_BODY_MAX);
	answer(call, 1);
	turn();
}

static void
test_a_body_that_is_too_large_and_a_request_that_is_damaged_are_cut_off(void **state)
{
	static char bytes[FRAME_BODY_BYTES];
	struct frame frame;

	shake_hands();
	request(1, 0, CONTROL, true);
	for (int i = 0; i < 3; i++)
		say((struct frame){
		    .kind = FRAME_BODY, .receiver = CONTROL, .request = 1, .payload = {bytes, sizeof bytes}});
	say((struct frame){
	    .kind = FRAME_REQUEST, .end = true, .receiver = CONTROL, .request = 2, .payload = {"junk", 4}});
	turn();
	assert_null(take());
	for (uint32_t number = 1; number <= 2; number++) {
		assert_true(hear(&frame));
		assert_int_equal(frame.kind, FRAME_CANCEL);
		assert_int_equal(frame.request, number);
	}
	assert_int_equal(peers.open, 0);
}

static void
test_a_reply_is_sent_as_far_as_its_reader_takes_it(void **state)
{
	const size_t all = REPLY_PAGE_BYTES;
	struct frame frame;
	struct frame_reply head;
	size_t got = 0;

	shake_hands();
	request(1, 0, CONTROL, false);
	turn();
	answer(take(), all);
	assert_int_equal(peers.reply_bytes, all);
	turn();
	assert_true(hear(&frame));
	assert_int_equal(frame.kind, FRAME_HEAD);
	assert_true(frame_read_reply(frame.payload, &head));
	assert_int_equal(head.length, all);
	for (bool last = false; !last;) {
		size_t before = got;

		while (hear(&frame)) {
			assert_int_equal(frame.kind, FRAME_BODY);
			got += frame.payload.len;
			last = frame.end;
		}
		assert_int_equal(got - before, FRAME_CREDIT_FIRST);
		credit(1, FRAME_CREDIT_FIRST);
		turn();
	}
	assert_int_equal(got, all);
	assert_int_equal(peers.reply_bytes, 0);
	assert_int_equal(peers.open, 0);
}

static void
test_a_reader_that_stops_reading_is_cut_off_and_others_are_not(void **state)
{
	struct frame frame;
	uint32_t cancelled = 0;

	shake_hands();
	request(1, 0, CONTROL, false);
	request(2, 0, CONTROL, false);
	turn();
	answer(take(), 1 << 20);
	answer(take(), 1 << 20);
	turn();
	while (hear(&frame))
		;
	int64_t now = clock_steady_us() + READER_PATIENCE_US - 1000 * 1000;

	peer_cut_off_stalled(&peer, now);
	peer.calls[2]->moved_us = now;
	peer_cut_off_stalled(&peer, now + 1000 * 1000);
	turn();
	while (hear(&frame)) {
		assert_int_equal(frame.kind, FRAME_CANCEL);
		cancelled = frame.request;
	}
	assert_int_equal(cancelled, 1);
	assert_int_equal(peers.open, 1);
	assert_int_equal(peers.reply_bytes, 1 << 20);
	say((struct frame){.kind = FRAME_CANCEL, .receiver = CONTROL, .request = 2});
	turn();
	assert_int_equal(peers.open, 0);
	assert_int_equal(peers.reply_bytes, 0);
}

static void
test_the_memory_of_all_replies_is_limited(void **state)
{
	struct frame frame;
	struct frame_reply head;

	shake_hands();
	peers.reply_bytes = REPLIES_BYTES_MAX - 100;
	request(1, 0, CONTROL, false);
	turn();
	answer(take(), FRAME_CREDIT_FIRST + 1);
	turn();
	assert_true(hear(&frame));
	assert_true(frame_read_reply(frame.payload, &head));
	assert_int_equal(head.status, 503);
	assert_int_equal(head.retry_after_seconds, 1);
	assert_true(hear(&frame));
	assert_non_null(memmem(frame.payload.base, frame.payload.len, "overloaded", 10));
	assert_int_equal(peers.reply_bytes, REPLIES_BYTES_MAX - 100);

	/* A reply that does not wait for its reader is sent all the same. */
	request(2, 0, CONTROL, false);
	turn();
	answer(take(), FRAME_CREDIT_FIRST);
	turn();
	assert_true(hear(&frame));
	assert_true(frame_read_reply(frame.payload, &head));
	assert_int_equal(head.status, 200);
}

static void
test_requests_that_do_not_fit_the_workers_queue_are_answered_503(void **state)
{
	struct frame frame;
	struct frame_reply head;

	shake_hands();
	for (uint32_t number = 1; number <= 5; number++)
		request(number, 0, CONTROL, false);
	turn();
	assert_true(hear(&frame));
	assert_int_equal(frame.request, 5);
	assert_true(frame_read_reply(frame.payload, &head));
	assert_int_equal(head.status, 503);
	say((struct frame){.kind = FRAME_HELLO, .sender = ACCEPTOR + 1, .receiver = CONTROL});
	turn();
	assert_int_equal(peers.open, 0);
}

static void
test_sending_goes_on_when_a_full_channel_has_room(void **state)
{
	struct frame frame;
	uint32_t ended = 0;

	call_queue_init(&workers.queue, PEER_CALLS);
	shake_hands();
	for (uint32_t number = 0; number < 100; number++) {
		request(number, 0, CONTROL, false);
		turn();
		answer(take(), FRAME_CREDIT_FIRST);
	}
	peer_send(&peer);
	assert_true(peer.blocked);
	while (peers.open > 0 || ended < 100) {
		while (hear(&frame))
			ended += frame.kind == FRAME_BODY && frame.end;
		peer_send(&peer);
	}
	assert_int_equal(ended, 100);
	assert_false(peer.blocked);
}

static void
test_after_bye_open_requests_are_answered_and_no_new_ones_begin(void **state)
{
	struct frame frame;

	shake_hands();
	request(1, 0, CONTROL, false);
	turn();
	peers.leaving = true;
	peer_say_bye(&peer);
	turn();
	assert_true(hear(&frame));
	assert_int_equal(frame.kind, FRAME_BYE);
	assert_false(peer_may_leave(&peer));
	say((struct frame){.kind = FRAME_BYE, .receiver = CONTROL});
	turn();
	assert_false(peer_may_leave(&peer));
	answer(take(), 10);
	turn();
	assert_true(peer_may_leave(&peer));

	/* The successor of control will answer an acceptor that begins now. */
	while (hear(&frame))
		;
	say((struct frame){.kind = FRAME_HELLO, .sender = ACCEPTOR + 1});
	request(2, ACCEPTOR + 1, CONTROL, false);
	turn();
	assert_false(hear(&frame));
	assert_null(take());
	assert_true(peer_may_leave(&peer));
	peer.start = ACCEPTOR;
	peer.said_bye = false;
	slot_set_state(&slot, PROCESS_DOWN);
	assert_true(peer_may_leave(&peer));
}

/* An acceptor has got control's HELLO. Its own HELLO comes after control was told to end. */
static void
test_requests_that_cross_the_order_to_end_are_answered(void **state)
{
	struct frame frame;

	turn();
	assert_true(hear(&frame));
	assert_int_equal(frame.kind, FRAME_HELLO);
	say((struct frame){.kind = FRAME_HELLO, .receiver = CONTROL});
	request(1, 0, CONTROL, false);
	peers.leaving = true;
	peer_say_bye(&peer);
	turn();
	assert_true(hear(&frame));
	assert_int_equal(frame.kind, FRAME_BYE);
	assert_int_equal(frame.receiver, ACCEPTOR);
	assert_false(peer_may_leave(&peer));
	say((struct frame){.kind = FRAME_BYE, .receiver = CONTROL});
	answer(take(), 10);
	turn();
	assert_true(hear(&frame));
	assert_int_equal(frame.kind, FRAME_HEAD);
	assert_true(peer_may_leave(&peer));
}

static void
test_a_control_that_ends_before_any_hello_sends_nothing(void **state)
{
	struct frame frame;

	peers.leaving = true;
	peer_say_bye(&peer);
	turn();
	assert_false(hear(&frame));
	assert_true(peer_may_leave(&peer));
}

static void
test_junk_is_dropped(void **state)
{
	struct error err;
	char junk[] = "\xff\xff\xff\xff junk that is no frame at all";

	shake_hands();
	assert_int_equal(channel_send(ends[0], &(struct channel_message){.bytes = junk, .len = sizeof junk}, &err), 0);
	request(1, 0, CONTROL, false);
	turn();

	struct call *call = take();

	assert_non_null(call);
	answer(call, 1);
	turn();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    PEER_TEST(test_frames_for_or_from_a_predecessor_are_dropped),
	    PEER_TEST(test_the_hello_of_a_successor_ends_open_requests),
	    PEER_TEST(test_a_body_comes_in_frames_and_has_an_end),
	    PEER_TEST(test_a_body_that_is_too_large_and_a_request_that_is_damaged_are_cut_off),
	    PEER_TEST(test_a_reply_is_sent_as_far_as_its_reader_takes_it),
	    PEER_TEST(test_a_reader_that_stops_reading_is_cut_off_and_others_are_not),
	    PEER_TEST(test_the_memory_of_all_replies_is_limited),
	    PEER_TEST(test_requests_that_do_not_fit_the_workers_queue_are_answered_503),
	    PEER_TEST(test_sending_goes_on_when_a_full_channel_has_room),
	    PEER_TEST(test_after_bye_open_requests_are_answered_and_no_new_ones_begin),
	    PEER_TEST(test_requests_that_cross_the_order_to_end_are_answered),
	    PEER_TEST(test_a_control_that_ends_before_any_hello_sends_nothing),
	    PEER_TEST(test_junk_is_dropped),
	};

	log_init("test", LOG_ERROR, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
