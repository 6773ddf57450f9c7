/*
 * Calls into the C library that fail on demand. This library is linked into a test or preloaded into a program
 * (LD_PRELOAD, with the environment variable FAULTS naming a file with a struct faults). It counts the calls of the
 * wanted groups in all processes whose name begins as wanted, and makes the calls first..last fail.
 */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include <stdint.h>

enum fault_group {
	FAULT_FILES = 1, /* open, write, fsync, rename, ...; writes to stderr do not count */
	FAULT_MEMORY = 2, /* malloc, calloc, realloc, mmap, record locks */
	FAULT_PROCESS = 4, /* fork, pthread_create, eventfd, signalfd */
	FAULT_NETWORK = 8, /* socket, connect, poll, send, recv, accept, ... */
	FAULT_SHORT = 16, /* must be alone: reads and writes of more than one byte do half of it */
};

/* tests/e2e/harness/faults.py has this layout too. All bytes zero: no call is counted. */
struct faults {
	uint64_t calls; /* counted so far */
	uint64_t first, last; /* these calls fail; the first call has number 1 */
	uint64_t failed; /* how many calls have failed */
	uint32_t groups;
	int32_t error; /* their errno; 0: each function's own */
	char process[16]; /* the beginning of the names of processes that count (prctl(2), PR_SET_NAME) */
	char what[512]; /* the call with the number first, and its callers */
};

/* The faults in force in this process; never NULL. */
struct faults *faults(void);

/* Replaces them. Other processes may share the new ones. */
void faults_use(struct faults *shared);

#endif
