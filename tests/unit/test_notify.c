/* Messages to a service manager, which is a socket of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "master/notify.h"

static int
forget(void **state)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return 0;
}

/* A manager at that address. @ stands for an abstract one. */
static int
manage(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	return fd;
}

static void
expect_message(int manager, const char *expected)
{
	char text[2048] = "";

	assert_true(recv(manager, text, sizeof text - 1, MSG_DONTWAIT) >= 0);
	assert_string_equal(text, expected);
}

static void
check_address(const char *path)
{
	struct notify notify;
	int manager = manage(path);

	notify_open(&notify);
	notify_send(&notify, "READY=1\nSTATUS=%s", "serving");
	expect_message(manager, "READY=1\nSTATUS=serving");
	notify_close(&notify);
	close(manager);
}

static void
test_a_manager_at_a_path_gets_messages(void **state)
{
	char path[64];

	(void)snprintf(path, sizeof path, "/tmp/test_notify.%d", (int)getpid());
	check_address(path);
	unlink(path);
}

static void
test_a_manager_at_an_abstract_address_gets_messages(void **state)
{
	char path[64];

	(void)snprintf(path, sizeof path, "@test_notify.%d", (int)getpid());
	check_address(path);
}

static void
test_without_a_manager_no_message_is_sent(void **state)
{
	struct notify notify;

	setenv("WATCHDOG_USEC", "1000", 1);
	notify_open(&notify);
	assert_int_equal(notify.fd, -1);
	assert_int_equal(notify.watchdog_us, 0);
	notify_send(&notify, "READY=1");
	notify_close(&notify);
}

static void
test_invalid_addresses_are_ignored(void **state)
{
	struct notify notify;
	char longer[200];

	memset(longer, '/', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';

	const char *const none[] = {"", "relative", "vsock:2:1234", longer};

	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		setenv("NOTIFY_SOCKET", none[i], 1);
		notify_open(&notify);
		assert_int_equal(notify.fd, -1);
	}
}

static void
test_a_manager_that_is_gone_does_no_harm(void **state)
{
	struct notify notify;

	setenv("NOTIFY_SOCKET", "/tmp/test_notify.nobody", 1);
	notify_open(&notify);
	notify_send(&notify, "READY=1");
	notify_close(&notify);
}

static void
test_a_message_that_is_too_long_is_cut(void **state)
{
	struct notify notify;
	char path[64], words[4000], expected[1024];
	int manager;

	(void)snprintf(path, sizeof path, "@test_notify.%d", (int)getpid());
	manager = manage(path);
	memset(words, 'x', sizeof words - 1);
	words[sizeof words - 1] = '\0';
	memset(expected, 'x', sizeof expected - 1);
	expected[sizeof expected - 1] = '\0';
	notify_open(&notify);
	notify_send(&notify, "%s", words);
	expect_message(manager, expected);
	notify_close(&notify);
	close(manager);
}

static void
test_the_watchdog_is_used_only_if_it_is_for_this_process(void **state)
{
	static const struct {
		const char *usec, *pid; /* "own": the pid of this process */
		int64_t expected;
	} cases[] = {
	    {"30000000", NULL, 30000000},
	    {"30000000", "own", 30000000},
	    {"30000000", "1", 0},
	    {"30000000", "", 0},
	    {"0", NULL, 0},
	    {"-5", NULL, 0},
	    {"5s", NULL, 0},
	    {"99999999999999999999", NULL, 0},
	    {NULL, NULL, 0},
	};
	struct notify notify;
	char own[16];

	(void)snprintf(own, sizeof own, "%d", (int)getpid());
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		forget(NULL);
		setenv("NOTIFY_SOCKET", "/tmp/test_notify.nobody", 1);
		if (cases[i].usec != NULL)
			setenv("WATCHDOG_USEC", cases[i].usec, 1);
		if (cases[i].pid != NULL)
			setenv("WATCHDOG_PID", strcmp(cases[i].pid, "own") == 0 ? own : cases[i].pid, 1);
		notify_open(&notify);
		assert_int_equal(notify.watchdog_us, cases[i].expected);
		notify_close(&notify);
	}
}

#define NOTIFY_TEST(test) cmocka_unit_test_setup_teardown(test, forget, forget)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    NOTIFY_TEST(test_a_manager_at_a_path_gets_messages),
	    NOTIFY_TEST(test_a_manager_at_an_abstract_address_gets_messages),
	    NOTIFY_TEST(test_without_a_manager_no_message_is_sent),
	    NOTIFY_TEST(test_invalid_addresses_are_ignored),
	    NOTIFY_TEST(test_a_manager_that_is_gone_does_no_harm),
	    NOTIFY_TEST(test_a_message_that_is_too_long_is_cut),
	    NOTIFY_TEST(test_the_watchdog_is_used_only_if_it_is_for_this_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
