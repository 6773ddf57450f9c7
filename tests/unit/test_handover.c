/* Connections that are handed over in batches. In this test they are copies of stderr and socket pairs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/channel.h"
#include "server/handover.h"

static struct handover_batch sent, received; /* too large for the stack */
static struct error err;

static int
open_one(void **state)
{
	static struct channels handover;

	*state = &handover;
	handover_clear(&sent);
	return channels_open(&handover, 1, HANDOVER_BUFFER_BYTES, &err);
}

static int
close_one(void **state)
{
	channels_close_others(*state, CHANNELS_NONE, CHANNEL_BOTH_ENDS);
	return 0;
}

static void
test_an_empty_channel_gives_an_empty_batch(void **state)
{
	const struct channels *handover = *state;

	assert_int_equal(handover_receive(handover->ends[0][1], &received, &err), 0);
	assert_int_equal(received.count, 0);
}

static void
test_a_connection_stays_open_between_two_processes(void **state)
{
	const struct channels *handover = *state;
	int pair[2];
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(handover_add(&sent, pair[1], (struct handover_note){.number = 17}, NULL, &err), 0);
	assert_int_equal(handover_send(handover->ends[0][0], &sent, &err), 0);
	assert_int_equal(sent.count, 0);
	close(pair[1]);
	assert_int_equal(send(pair[0], "x", 1, MSG_NOSIGNAL), 1);

	assert_int_equal(handover_receive(handover->ends[0][1], &received, &err), 0);
	assert_int_equal(received.count, 1);
	assert_int_equal(received.notes[0].number, 17);
	assert_int_equal(received.notes[0].bytes, 0);
	assert_int_equal(received.bytes_fd, -1);
	assert_int_equal(read(received.fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(received.fds[0]);
	close(pair[0]);
}

static void
test_batches_wait_in_the_channel_with_the_bytes_already_read(void **state)
{
	const struct channels *handover = *state;
	const int batches = 20;

	for (int p = 0; p < batches; p++) {
		for (uint32_t i = 0; i < HANDOVER_MAX; i++) {
			char text[16];
			int len = snprintf(text, sizeof text, "%u;", i);
			struct handover_note note = {.number = i, .bytes = i % 2 == 0 ? (uint32_t)len : 0};

			assert_int_equal(handover_add(&sent, STDERR_FILENO, note, text, &err), 0);
		}
		assert_int_equal(handover_send(handover->ends[0][0], &sent, &err), 0);
	}
	for (int p = 0; p < batches; p++) {
		assert_int_equal(handover_receive(handover->ends[0][1], &received, &err), 0);
		assert_int_equal(received.count, HANDOVER_MAX);
		assert_int_equal(lseek(received.bytes_fd, 0, SEEK_SET), 0);
		for (uint32_t i = 0; i < HANDOVER_MAX; i++) {
			char expected[16] = "", text[16] = "";

			if (i % 2 == 0)
				(void)snprintf(expected, sizeof expected, "%u;", i);
			assert_int_equal(received.notes[i].number, i);
			assert_int_equal(received.notes[i].bytes, strlen(expected));
			assert_int_equal(read(received.bytes_fd, text, received.notes[i].bytes), strlen(expected));
			assert_string_equal(text, expected);
			assert_true(received.fds[i] > STDERR_FILENO);
			close(received.fds[i]);
		}
		close(received.bytes_fd);
	}
	assert_int_equal(handover_receive(handover->ends[0][1], &received, &err), 0);
	assert_int_equal(received.count, 0);
}

static void
test_a_full_channel_keeps_the_batch(void **state)
{
	const struct channels *handover = *state;
	int batches = 0;

	do
		assert_int_equal(handover_add(&sent, STDERR_FILENO, (struct handover_note){0}, NULL, &err), 0);
	while (handover_send(handover->ends[0][0], &sent, &err) == 0 && ++batches < 1000000);
	assert_non_null(strstr(err.text, "cannot hand over 1 connections: the channel is full"));
	assert_int_equal(sent.count, 1);
	while (handover_receive(handover->ends[0][1], &received, &err) == 0 && received.count == 1) {
		close(received.fds[0]);
		batches--;
	}
	assert_int_equal(batches, 0);
	assert_int_equal(handover_send(handover->ends[0][0], &sent, &err), 0);
}

static void
test_a_connection_without_a_free_descriptor_is_marked(void **state)
{
	const struct channels *handover = *state;
	struct rlimit limit, low;
	int first = dup(STDERR_FILENO);

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(handover_add(&sent, STDERR_FILENO, (struct handover_note){0}, NULL, &err), 0);
	assert_int_equal(handover_send(handover->ends[0][0], &sent, &err), 0);
	low = (struct rlimit){.rlim_cur = (rlim_t)first + 3, .rlim_max = limit.rlim_max};
	close(first);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(handover_receive(handover->ends[0][1], &received, &err), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(received.count, 10);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(received.fds[i] >= 0, i < 3);
		if (i < 3)
			close(received.fds[i]);
	}
}

#define HANDOVER_TEST(name) cmocka_unit_test_setup_teardown(name, open_one, close_one)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    HANDOVER_TEST(test_an_empty_channel_gives_an_empty_batch),
	    HANDOVER_TEST(test_a_connection_stays_open_between_two_processes),
	    HANDOVER_TEST(test_batches_wait_in_the_channel_with_the_bytes_already_read),
	    HANDOVER_TEST(test_a_full_channel_keeps_the_batch),
	    HANDOVER_TEST(test_a_connection_without_a_free_descriptor_is_marked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
