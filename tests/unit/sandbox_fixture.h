/*
 * Processes in a sandbox, and what they try to reach: a directory of their own, one that they may read, one that they
 * may not, and a server on loopback.
 */
#ifndef TESTS_UNIT_SANDBOX_FIXTURE_H
#define TESTS_UNIT_SANDBOX_FIXTURE_H

#include <netinet/in.h>

#include "base/sandbox.h"

#define NOT_CONFINED 250 /* sandbox_enter() has failed */

struct scene {
	char top[64], own[80], readable[80], other[80]; /* top holds the other three; each of these has a "file" */
	int listener;
	struct sockaddr_in address; /* of the listener */
};
extern struct scene scene;

/* Set-up and tear-down of a test. */
int scene_set_up(void **state);
int scene_tear_down(void **state);

/* The path of the name in the directory, in one of a few static buffers. */
char *in(const char *directory, const char *name);

/*
 * The three kinds of processes: server() as an acceptor, with_files() with the two directories, client() with the
 * network and without files.
 */
struct sandbox server(void);
struct sandbox with_files(void);
struct sandbox client(void);

/*
 * A process enters the sandbox, makes the attempt, and ends with its result. status_of() returns its status of
 * waitpid(2). errno_of() returns the result, and fails the test if the process died.
 */
int status_of(struct sandbox (*make)(void), int (*attempt)(void));
int errno_of(struct sandbox (*make)(void), int (*attempt)(void));

/* The result of an attempt for that of a system call: 0 or errno. */
int result(long rc);

/* Attempts for the two functions above. Each returns 0 or errno. */
int read_readable(void);
int read_own(void);
int read_other(void);
int create_own(void);
int make_directory_in_own(void);
int rename_own(void);
int make_socket(void);
int map_code(void);
int turn_data_into_code(void);
int start_thread(void);

#endif
