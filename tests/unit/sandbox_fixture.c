/* See sandbox_fixture.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/unit/sandbox_fixture.h"

struct scene scene;

char *
in(const char *directory, const char *name)
{
	static char paths[8][128];
	static unsigned next;
	char *path = paths[next++ % 8];

	(void)snprintf(path, sizeof paths[0], "%s/%s", directory, name);
	return path;
}

static void
make_directory(char *path, size_t size, const char *name)
{
	int fd;

	(void)snprintf(path, size, "%s/%s", scene.top, name);
	assert_int_equal(mkdir(path, 0700), 0);
	fd = open(in(path, "file"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "text", 4), 4);
	close(fd);
}

int
scene_set_up(void **state)
{
	socklen_t len = sizeof scene.address;

	(void)strcpy(scene.top, "/tmp/test-sandbox-XXXXXX");
	assert_non_null(mkdtemp(scene.top));
	make_directory(scene.own, sizeof scene.own, "own");
	make_directory(scene.readable, sizeof scene.readable, "readable");
	make_directory(scene.other, sizeof scene.other, "other");
	scene.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	scene.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(scene.listener, (struct sockaddr *)&scene.address, len), 0);
	assert_int_equal(listen(scene.listener, 16), 0);
	assert_int_equal(getsockname(scene.listener, (struct sockaddr *)&scene.address, &len), 0);
	return 0;
}

int
scene_tear_down(void **state)
{
	char *command = mem_printf("rm -rf %s", scene.top);
	int rc = system(command);

	free(command);
	close(scene.listener);
	return rc;
}

struct sandbox
server(void)
{
	return (struct sandbox){.serves = true};
}

struct sandbox
with_files(void)
{
	struct sandbox sandbox = {.connects = false};

	sandbox_may_write(&sandbox, scene.own);
	sandbox_may_read(&sandbox, scene.readable);
	return sandbox;
}

struct sandbox
client(void)
{
	return (struct sandbox){.connects = true};
}

int
status_of(struct sandbox (*make)(void), int (*attempt)(void))
{
	struct sandbox sandbox = make();
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		struct error err;

		if (sandbox_enter(&sandbox, &err) != 0) {
			fprintf(stderr, "%s\n", err.text);
			_exit(NOT_CONFINED);
		}
		_exit(attempt());
	}
	for (uint32_t i = 0; i < sandbox.count; i++)
		free(sandbox.places[i].path);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

int
errno_of(struct sandbox (*make)(void), int (*attempt)(void))
{
	int status = status_of(make, attempt);

	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

int
result(long rc)
{
	return rc < 0 ? errno : 0;
}

static int
read_file_in(const char *directory)
{
	return result(open(in(directory, "file"), O_RDONLY));
}

int
read_readable(void)
{
	return read_file_in(scene.readable);
}

int
read_own(void)
{
	return read_file_in(scene.own);
}

int
read_other(void)
{
	return read_file_in(scene.other);
}

int
create_own(void)
{
	return result(open(in(scene.own, "new"), O_RDWR | O_CREAT | O_EXCL, 0600));
}

int
make_directory_in_own(void)
{
	return result(mkdir(in(scene.own, "directory"), 0700));
}

int
rename_own(void)
{
	return result(rename(in(scene.own, "file"), in(scene.own, "renamed")));
}

int
make_socket(void)
{
	return result(socket(AF_INET, SOCK_STREAM, 0));
}

int
map_code(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? errno : 0;
}

int
turn_data_into_code(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NOT_CONFINED : result(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

static void *
nothing(void *context)
{
	return context;
}

int
start_thread(void)
{
	pthread_t thread;
	int rc = pthread_create(&thread, NULL, nothing, NULL);

	return rc != 0 ? rc : pthread_join(thread, NULL);
}
