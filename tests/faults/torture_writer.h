/* The start of a writer, for the scenarios of its parts: the segment, and the writer's ledger in it. */
#ifndef TESTS_TORTURE_WRITER_H
#define TESTS_TORTURE_WRITER_H

#include "shm/segment.h"

/* The master's segment in the torture's directory, of one acceptor and one writer, and the writer's slot in it. */
extern struct segment torture_segment;
extern struct writer_slot *torture_slot;

/* Opens the segment as the master does, and takes over as a writer does. <0: it failed, which only faults excuse. */
int torture_start_writer(void);

/* Does the same with all faults off. */
void torture_start_writer_safely(void);

#endif
