/*
 * How a segment file is laid out: what follows from the numbers in its header. For the two files that make segments and
 * look into them.
 */
#ifndef SHM_SEGMENT_LAYOUT_H
#define SHM_SEGMENT_LAYOUT_H

#include <unistd.h>

#include "shm/segment.h"

/* The kernel's page size: arenas are mapped one by one. */
#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))

/* Offsets in the file. */
struct segment_layout {
	uint64_t slots[ROLES], controls, descriptors, arenas, end;
};

struct segment_layout segment_layout(const struct segment_header *header);

/* Whether a file of that size can be what its header says. */
bool segment_plausible(const struct segment_header *header, uint64_t file_bytes);

/* Maps everything before the arenas; segment takes over fd on success. Returns 0 or <0. */
int segment_map(struct segment *segment, int fd, uint64_t bytes, int protection, struct error *err);

#endif
