/* Messages with descriptors: they arrive whole, and each side learns when it cannot send or receive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/channel.h"

static int ends[2];
static char sent[CHANNEL_BYTES_MAX], received[CHANNEL_BYTES_MAX];
static int fds[CHANNEL_FDS_MAX];
static struct error err;

static int
open_ends(void **state)
{
	for (size_t i = 0; i < sizeof sent; i++)
		sent[i] = (char)(i * 31 + i / 251);
	return channel_open(ends, (size_t)1 << 20, &err);
}

static int
close_ends(void **state)
{
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return 0;
}

static int
send_bytes(int end, size_t len, int *with, size_t count)
{
	return channel_send(end, &(struct channel_message){sent, len, with, count}, &err);
}

/* Receives with room for so many bytes and descriptors. The caller looks at `message`. */
static int
receive_into(int end, size_t room, size_t fd_room, struct channel_message *message)
{
	*message = (struct channel_message){received, room, fds, fd_room};
	return channel_receive(end, message, &err);
}

static int
open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			count++;
	return count;
}

static void
test_messages_arrive_whole_and_in_order(void **state)
{
	static const size_t sizes[] = {1, CHANNEL_BYTES_MAX, 7, 4096};
	struct channel_message message;

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(send_bytes(ends[0], sizes[i], NULL, 0), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(receive_into(ends[1], sizeof received, 0, &message), 0);
		assert_int_equal(message.len, sizes[i]);
		assert_int_equal(message.fd_count, 0);
		assert_memory_equal(received, sent, sizes[i]);
	}
	assert_int_equal(receive_into(ends[1], sizeof received, 0, &message), CHANNEL_AGAIN);
}

static void
test_both_directions_work(void **state)
{
	struct channel_message message;

	assert_int_equal(send_bytes(ends[1], 3, NULL, 0), 0);
	assert_int_equal(receive_into(ends[1], sizeof received, 0, &message), CHANNEL_AGAIN);
	assert_int_equal(receive_into(ends[0], sizeof received, 0, &message), 0);
	assert_int_equal(message.len, 3);
}

static void
test_descriptors_arrive_as_copies_that_exec_closes(void **state)
{
	int pair[2], many[CHANNEL_FDS_MAX];
	struct channel_message message;
	char byte = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	for (size_t i = 0; i < CHANNEL_FDS_MAX; i++)
		many[i] = pair[1];
	assert_int_equal(send_bytes(ends[0], 1, many, CHANNEL_FDS_MAX), 0);
	close(pair[1]);
	assert_int_equal(receive_into(ends[1], sizeof received, CHANNEL_FDS_MAX, &message), 0);
	assert_int_equal(message.fd_count, CHANNEL_FDS_MAX);
	assert_int_equal(write(fds[CHANNEL_FDS_MAX - 1], "x", 1), 1);
	assert_int_equal(read(pair[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	for (size_t i = 0; i < CHANNEL_FDS_MAX; i++) {
		assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		close(fds[i]);
	}
	close(pair[0]);
}

static void
test_a_message_that_is_too_large_fails_and_leaks_nothing(void **state)
{
	int with[] = {STDERR_FILENO, STDERR_FILENO};
	struct channel_message message;
	int before = open_descriptors();

	assert_int_equal(send_bytes(ends[0], 100, with, 2), 0);
	assert_int_equal(send_bytes(ends[0], 10, with, 2), 0);
	assert_int_equal(send_bytes(ends[0], 5, NULL, 0), 0);
	assert_true(receive_into(ends[1], 99, 2, &message) < 0);
	assert_non_null(strstr(err.text, "larger than 99 bytes"));
	assert_true(receive_into(ends[1], 99, 1, &message) < 0);
	assert_int_equal(receive_into(ends[1], 99, 1, &message), 0);
	assert_int_equal(message.len, 5);
	assert_int_equal(open_descriptors(), before);
}

static void
test_a_full_channel_returns_again_and_takes_more_later(void **state)
{
	struct channel_message message;
	int count = 0, rc;

	while ((rc = send_bytes(ends[0], 4096, NULL, 0)) == 0)
		count++;
	assert_int_equal(rc, CHANNEL_AGAIN);
	assert_true(count > 1);
	assert_int_equal(receive_into(ends[1], sizeof received, 0, &message), 0);
	assert_int_equal(send_bytes(ends[0], 4096, NULL, 0), 0);
}

static void
test_messages_outlive_their_sender(void **state)
{
	struct channel_message message;

	assert_int_equal(send_bytes(ends[0], 9, NULL, 0), 0);
	close(ends[0]);
	ends[0] = -1;
	assert_int_equal(receive_into(ends[1], sizeof received, 0, &message), 0);
	assert_int_equal(message.len, 9);
	assert_int_equal(receive_into(ends[1], sizeof received, 0, &message), CHANNEL_CLOSED);
	assert_int_equal(send_bytes(ends[1], 9, NULL, 0), CHANNEL_CLOSED);
}

static void
test_a_process_short_of_descriptors_gets_the_first_ones(void **state)
{
	int with[] = {STDERR_FILENO, STDERR_FILENO, STDERR_FILENO};
	struct channel_message message;
	struct rlimit limit, low;
	int first = dup(STDERR_FILENO);

	close(first);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(send_bytes(ends[0], 1, with, 3), 0);
	low = (struct rlimit){.rlim_cur = (rlim_t)first + 2, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(receive_into(ends[1], sizeof received, 3, &message), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(message.fd_count, 2);
	close(fds[0]);
	close(fds[1]);
}

#define CHANNEL_TEST(name) cmocka_unit_test_setup_teardown(name, open_ends, close_ends)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CHANNEL_TEST(test_messages_arrive_whole_and_in_order),
	    CHANNEL_TEST(test_both_directions_work),
	    CHANNEL_TEST(test_descriptors_arrive_as_copies_that_exec_closes),
	    CHANNEL_TEST(test_a_message_that_is_too_large_fails_and_leaks_nothing),
	    CHANNEL_TEST(test_a_full_channel_returns_again_and_takes_more_later),
	    CHANNEL_TEST(test_messages_outlive_their_sender),
	    CHANNEL_TEST(test_a_process_short_of_descriptors_gets_the_first_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
