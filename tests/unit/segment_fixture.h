/* What the segment tests share: one ring file in a directory of its own, and parcels in it. Include after cmocka.h. */
#ifndef TESTS_SEGMENT_FIXTURE_H
#define TESTS_SEGMENT_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "shm/segment.h"
#include "shm/segment_open.h"

extern char ring_directory[]; /* made for the group, removed after it */
extern char ring_path[64]; /* the ring file in that directory */

int ring_make_directory(void **state);
int ring_remove_directory(void **state);

/* Removes every file of the directory. */
int ring_remove(void **state);

#define RING_TEST(test) cmocka_unit_test_setup_teardown(test, ring_remove, ring_remove)

/* A configuration for ring_path with those counts and that size. */
struct config ring_config(uint32_t acceptors, uint32_t writers, uint64_t ring_bytes);

/* Run segment_open() and segment_map_arena(), which must succeed. */
struct segment ring_open(const struct config *config);
struct lane ring_map(const struct segment *segment, uint32_t acceptor, uint32_t writer);

/*
 * Closes the segment as the end of a process does. Also unmaps its arenas: a mapping keeps the open file, and with it
 * the lock.
 */
void ring_close(struct segment *segment);

/*
 * Makes and closes a segment of two acceptors and one writer. Parcels 0, 1 and 2 wait in its second lane. Returns the
 * number of their events.
 */
uint64_t ring_leave_events(void);

#define RING_OLD_BYTES (256u * 1024)
#define RING_SEED 7u

/* Returns how many files have been set aside. The first one's path goes to `first` unless that is NULL. */
size_t ring_files_set_aside(char *first, size_t size);

/* ring_write_file() makes a file of those bytes at ring_path. ring_header() reads the header of the file there. */
void ring_write_file(const void *bytes, size_t len);
struct segment_header ring_header(void);

#endif
