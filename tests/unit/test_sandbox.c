/* What processes in a sandbox cannot do, an acceptor least of all, and what each of them still can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "base/mem.h"
#include "tests/unit/sandbox_fixture.h"

static int
make_packet_socket(void)
{
	return result(socket(AF_PACKET, SOCK_DGRAM, 0));
}

static int
connect_out(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? errno : result(connect(fd, (struct sockaddr *)&scene.address, sizeof scene.address));
}

static int
listen_anew(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? errno : result(listen(fd, 1));
}

static int
run_program(void)
{
	char name[] = "true", *const arguments[] = {name, NULL};

	return result(execve("/bin/true", arguments, arguments + 1));
}

static int
fork_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return result(pid);
}

static int
trace_parent(void)
{
	return result(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int
signal_parent(void)
{
	return result(kill(getppid(), 0));
}

static int
signal_group(void)
{
	return result(kill(0, SIGTERM));
}

/* The kernel would signal the parent for each packet on the socket. */
static int
have_parent_signalled(void)
{
	return result(fcntl(scene.listener, F_SETOWN, getppid()));
}

static int
have_parent_signalled_by_ioctl(void)
{
	pid_t parent = getppid();

	return result(ioctl(scene.listener, FIOSETOWN, &parent));
}

static int
choose_signal(void)
{
	return result(fcntl(scene.listener, F_SETSIG, SIGKILL));
}

static int
become_root(void)
{
	return result(syscall(SYS_setuid, 0));
}

static int
abort_itself(void)
{
	abort();
}

/* The system calls of an acceptor's ordinary work. */
static int
serve(void)
{
	char *memory = mem_new(16, 1 << 20);
	int connection = accept4(scene.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int file = memfd_create("bytes", MFD_CLOEXEC);

	if (connection < 0 || write(connection, "text", 4) != 4 || file < 0 ||
	    files_write_at(file, "text", 4, 0) != 0 || getrandom(memory, 16, 0) != 16)
		return errno;
	free(memory);
	return 0;
}

static int
capabilities_left(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (syscall(SYS_capget, &head, sets) != 0)
		return errno;
	return (sets[0].permitted | sets[0].effective | sets[1].permitted | sets[1].effective) != 0;
}

static int
may_gain_rights(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}

static int shared_fd, leaked_fd;

static int
leaked_is_open(void)
{
	return fcntl(shared_fd, F_GETFD) < 0 || fcntl(leaked_fd, F_GETFD) >= 0;
}

static void
test_a_server_opens_no_file(void **state)
{
	assert_int_equal(errno_of(server, read_readable), EPERM);
	assert_int_equal(errno_of(server, read_own), EPERM);
	assert_int_equal(errno_of(server, create_own), EPERM);
	assert_int_equal(errno_of(server, rename_own), EPERM);
	assert_int_equal(errno_of(server, make_directory_in_own), EPERM);
}

static void
test_a_server_neither_connects_nor_opens_other_listeners(void **state)
{
	assert_int_equal(errno_of(server, make_socket), EPERM);
	assert_int_equal(errno_of(server, connect_out), EPERM);
	assert_int_equal(errno_of(server, listen_anew), EPERM);
}

static void
test_a_server_starts_no_program_and_no_process(void **state)
{
	assert_int_equal(errno_of(server, run_program), EPERM);
	assert_int_equal(errno_of(server, fork_process), EPERM);
	assert_int_equal(errno_of(server, map_code), ENOSYS);
	assert_int_equal(errno_of(server, turn_data_into_code), ENOSYS);
}

static void
test_a_server_can_serve(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[4];

	assert_int_equal(connect(fd, (struct sockaddr *)&scene.address, sizeof scene.address), 0);
	assert_int_equal(errno_of(server, serve), 0);
	assert_int_equal(read(fd, text, sizeof text), 4);
	close(fd);
}

static void
test_no_process_can_signal_or_trace_another(void **state)
{
	struct sandbox (*const kinds[])(void) = {server, with_files, client};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		assert_int_equal(errno_of(kinds[i], trace_parent), EPERM);
		assert_int_equal(errno_of(kinds[i], signal_parent), EPERM);
		assert_int_equal(errno_of(kinds[i], signal_group), EPERM);
		assert_int_equal(errno_of(kinds[i], run_program), EPERM);
		assert_int_equal(errno_of(kinds[i], fork_process), EPERM);
		assert_int_equal(errno_of(kinds[i], become_root), EPERM);
		assert_int_equal(errno_of(kinds[i], have_parent_signalled), i == 0 ? ENOSYS : EPERM);
		assert_int_equal(errno_of(kinds[i], have_parent_signalled_by_ioctl), i == 0 ? ENOSYS : EPERM);
		assert_int_equal(errno_of(kinds[i], choose_signal), i == 0 ? ENOSYS : EPERM);
	}
}

static void
test_a_failed_assert_still_ends_a_process(void **state)
{
	int status = status_of(server, abort_itself);

	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	status = status_of(with_files, abort_itself);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void
test_a_process_without_network_has_threads_and_no_sockets(void **state)
{
	assert_int_equal(errno_of(with_files, start_thread), 0);
	assert_int_equal(errno_of(with_files, make_socket), EPERM);
	assert_int_equal(errno_of(with_files, map_code), EPERM);
	assert_int_equal(errno_of(with_files, turn_data_into_code), EPERM);
}

static void
test_a_client_can_connect_and_cannot_listen(void **state)
{
	assert_int_equal(errno_of(client, connect_out), 0);
	assert_int_equal(errno_of(client, start_thread), 0);
	assert_int_equal(errno_of(client, make_packet_socket), EPERM);
	assert_int_equal(errno_of(client, listen_anew), EPERM);
	assert_int_equal(errno_of(client, read_other), EACCES);
}

static void
test_no_right_of_root_is_left(void **state)
{
	assert_int_equal(errno_of(client, capabilities_left), 0);
	assert_int_equal(errno_of(client, may_gain_rights), 0);
	assert_int_equal(errno_of(with_files, may_gain_rights), 0);
}

static void
test_descriptors_that_a_shell_left_open_are_closed(void **state)
{
	shared_fd = open(in(scene.other, "file"), O_RDONLY | O_CLOEXEC);
	leaked_fd = open(in(scene.other, "file"), O_RDONLY);
	assert_int_equal(errno_of(with_files, leaked_is_open), 0);
	close(leaked_fd);
	close(shared_fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_server_opens_no_file),
	    cmocka_unit_test(test_a_server_neither_connects_nor_opens_other_listeners),
	    cmocka_unit_test(test_a_server_starts_no_program_and_no_process),
	    cmocka_unit_test(test_a_server_can_serve),
	    cmocka_unit_test(test_no_process_can_signal_or_trace_another),
	    cmocka_unit_test(test_a_failed_assert_still_ends_a_process),
	    cmocka_unit_test(test_a_process_without_network_has_threads_and_no_sockets),
	    cmocka_unit_test(test_a_client_can_connect_and_cannot_listen),
	    cmocka_unit_test(test_no_right_of_root_is_left),
	    cmocka_unit_test(test_descriptors_that_a_shell_left_open_are_closed),
	};

	if (sandbox_missing() != NULL)
		return 77; /* skipped: the kernel or the container lacks a part of the sandbox */
	return cmocka_run_group_tests(tests, scene_set_up, scene_tear_down);
}
