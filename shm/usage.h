/*
 * A process's use of CPU and memory, measured by itself and readable by every process. CPU time includes that of dead
 * predecessors, so that it never decreases.
 */
#ifndef SHM_USAGE_H
#define SHM_USAGE_H

#include <stdint.h>

struct usage {
	uint64_t cpu_us; /* user and system, predecessors included */
	uint64_t earlier_us; /* the predecessors' part of cpu_us */
	uint64_t resident_bytes; /* stays when the process dies */
	int64_t measured_us; /* steady clock */
};

/* The last measurement. Any process. */
uint64_t usage_cpu_us(const struct usage *usage);
uint64_t usage_resident_bytes(const struct usage *usage);

/* A new process takes over the struct. It calls this while it may still open files. */
void usage_begin(struct usage *usage);

/* Measures this process once a second. Call it at every turn of the loop; now_us: steady clock. */
void usage_update(struct usage *usage, int64_t now_us);

#endif
