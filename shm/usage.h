/*
 * What a process uses of the machine, noted by itself where all can read it: the CPU time goes on from what its dead
 * predecessors had noted, so that it never falls.
 */
#ifndef SHM_USAGE_H
#define SHM_USAGE_H

#include <stdint.h>

struct usage {
	uint64_t cpu_us; /* user and system, of all processes that were this one */
	uint64_t earlier_us; /* of it, by predecessors */
	uint64_t resident_bytes; /* of the last one, while it lived */
	int64_t noted_us; /* steady clock */
};

/* What was noted last: any process. */
uint64_t usage_cpu_us(const struct usage *usage);
uint64_t usage_resident_bytes(const struct usage *usage);

/* A new process writes into usage from now on. */
void usage_begin(struct usage *usage);

/* Notes what this process uses, if the last note is a second old. For every turn of its loop; now_us: steady clock. */
void usage_note(struct usage *usage, int64_t now_us);

#endif
