/* What a writer finds at its start, for the scenarios of its parts: the segment, and in it its ledger. */
#ifndef TESTS_TORTURE_WRITER_H
#define TESTS_TORTURE_WRITER_H

#include "shm/segment.h"

/* The master's segment in the torture's directory, one acceptor, one writer; and in it the slot of the one writer. */
extern struct segment torture_segment;
extern struct writer_slot *torture_slot;

/* Opens it as the master does, and takes over as a writer does. <0: that failed, which only faults excuse. */
int torture_start_writer(void);

/* The same while no call fails. */
void torture_start_writer_safely(void);

#endif
