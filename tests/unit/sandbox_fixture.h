/*
 * Processes in a sandbox, and where they try what they may: a directory of their own, one that they may read, another
 * one, and a server on loopback.
 */
#ifndef TESTS_UNIT_SANDBOX_FIXTURE_H
#define TESTS_UNIT_SANDBOX_FIXTURE_H

#include <netinet/in.h>

#include "base/sandbox.h"

#define NOT_CONFINED 250 /* sandbox_enter() has failed */

struct scene {
	char top[64], own[80], readable[80], other[80]; /* each but top has a "file" */
	int listener;
	struct sockaddr_in address; /* its */
};
extern struct scene scene;

/* For cmocka. */
int scene_set_up(void **state);
int scene_tear_down(void **state);

/* The path of a name in a directory, in one of a few static buffers. */
char *in(const char *directory, const char *name);

/* The three kinds of processes: as an acceptor; with the two directories; with the network and without files. */
struct sandbox server(void);
struct sandbox with_files(void);
struct sandbox client(void);

/*
 * status_of(): the status of waitpid(2) of a process that enters the sandbox, makes the attempt, and ends with its
 * result. errno_of(): that result; it must not die otherwise.
 */
int status_of(struct sandbox (*make)(void), int (*attempt)(void));
int errno_of(struct sandbox (*make)(void), int (*attempt)(void));

/* What an attempt returns for the result of a system call: 0 or errno. */
int result(long rc);

/* Attempts. */
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
