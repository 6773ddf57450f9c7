/*
 * What a process uses of the machine, measured by itself and kept where every process can read it. The CPU time
 * continues that of dead predecessors, so that it never falls.
 */
#ifndef SHM_USAGE_H
#define SHM_USAGE_H

#include <stdint.h>

struct usage {
	uint64_t cpu_us; /* user and system, predecessors included */
	uint64_t earlier_us; /* of that, the predecessors' part */
	uint64_t resident_bytes; /* stays when the process dies */
	int64_t measured_us; /* steady clock */
};

/* What was measured last. Any process. */
uint64_t usage_cpu_us(const struct usage *usage);
uint64_t usage_resident_bytes(const struct usage *usage);

/* A new process takes usage over. Called in that process, while it may open files. */
void usage_begin(struct usage *usage);

/*
 * Measures what this process uses, if the last time was a second ago. For every turn of its loop; now_us: steady clock.
 */
void usage_update(struct usage *usage, int64_t now_us);

#endif
