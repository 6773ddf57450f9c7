/*
 * Calls into the C library that fail on demand. Linked into a test, or preloaded into a program (LD_PRELOAD, with the
 * environment variable FAULTS naming a file that holds a struct faults), this counts the calls of the groups asked for,
 * over all processes whose name begins as asked, and makes those numbered first..last fail.
 */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include <stdint.h>

enum fault_group {
	FAULT_FILES = 1, /* open, write, fsync, rename, ...; what is written to stderr is left alone */
	FAULT_MEMORY = 2, /* malloc, calloc, realloc, mmap, record locks */
	FAULT_PROCESS = 4, /* fork, pthread_create, eventfd, signalfd */
	FAULT_NETWORK = 8, /* socket, connect, poll, send, recv, accept, ... */
	FAULT_SHORT = 16, /* alone: reads and writes of more than a byte do half of it */
};

/* The layout is known to tests/e2e/harness/faults.py, too. All zero: nothing is counted. */
struct faults {
	uint64_t calls; /* counted so far */
	uint64_t first, last; /* these fail; the first call has number 1 */
	uint64_t failed; /* so many have */
	uint32_t groups;
	int32_t error; /* the errno they fail with; 0: each function's own */
	char process[16]; /* the names that count begin so (prctl(2), PR_SET_NAME) */
	char what[512]; /* the call numbered first: what it was, and who called it */
};

/* The one in force in this process; never NULL. */
struct faults *faults(void);

/* Puts another one in its place, which other processes may share. */
void faults_use(struct faults *shared);

#endif
