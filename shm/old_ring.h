/*
 * Access to the ring file of hooksd 0.1.0: reads its ledgers and waiting parcels, and writes the words by which 0.1.0
 * recorded that events went to the spool. master/old_ring_import.c uses it at start. To be removed with 1.0.
 *
 * The bytes are untrusted until old_ring_open() has returned OLD_RING_WHOLE. After that every call stays inside the
 * file; the contents of parcels are still unchecked. Only for a master without children that holds the file's lock.
 */
#ifndef SHM_OLD_RING_H
#define SHM_OLD_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "shm/series.h"
#include "shm/ledger.h"
#include "shm/old_ring_layout.h"

struct old_ring {
	char *base; /* the file, mapped shared */
	uint64_t bytes;
	struct ring9_header *header;
	struct ring9_slot *slots; /* acceptors first, then writers */
	struct ring9_lane *lanes;
	struct ring9_descriptor *descriptors;
	char *arenas;
	uint32_t acceptors, writers, lane_slots;
	uint64_t arena_bytes;
};

/* OTHER: not a file of 0.1.0. UNFINISHED: 0.1.0 died while making it; only old_ring_counters() may be called. */
enum old_ring_kind { OLD_RING_OTHER, OLD_RING_UNFINISHED, OLD_RING_DAMAGED, OLD_RING_WHOLE };

/*
 * Maps the file at fd, which is borrowed. Returns an enum old_ring_kind, or <0 if the file cannot be read or mapped.
 * After UNFINISHED and WHOLE the caller must call old_ring_close().
 */
int old_ring_open(struct old_ring *ring, int fd, struct error *err);
void old_ring_close(struct old_ring *ring);

/* The master's pid in the header of the file at fd; 0: it is no header of 0.1.0. Needs no lock. */
int32_t old_ring_master_pid(int fd);

/* "": unknown. Valid until old_ring_close(). */
const char *old_ring_boot_id(const struct old_ring *ring);
const char *old_ring_jsonl_path(const struct old_ring *ring);

/* Sets the boot id, as 0.1.0 does when it adopts a ring. */
void old_ring_set_boot_id(const struct old_ring *ring, const char *boot_id);

/* The sums of all counters, in today's order. */
void old_ring_counters(const struct old_ring *ring, uint64_t counters[COUNTERS]);

/* Applies the current page of that writer's ledger to its lanes, as settle_lanes() does today. */
void old_ring_settle(const struct old_ring *ring, uint32_t writer);

/* The events that wait in all lanes, without refused parcels. Call it after old_ring_settle(). */
uint64_t old_ring_events_waiting(const struct old_ring *ring);

/* Whether that writer's append to that file is uncommitted; if so, copies it to *append. */
bool old_ring_append_open(
    const struct old_ring *ring, uint32_t writer, enum append_file file, struct unfinished_append *append);

/*
 * Records the beginning of an append to the spool, before its first byte; done records that the append left no trace.
 */
void old_ring_append_begin(const struct old_ring *ring, uint32_t writer, const struct unfinished_append *append);
void old_ring_append_done(const struct old_ring *ring, uint32_t writer, enum append_file file);

/* The spool file and how much of it is stored, by the current page. */
struct spool_progress old_ring_replayed(const struct old_ring *ring, uint32_t writer);

/* Gets a parcel's bytes, valid during the call. Returns 0 to continue, or a value for old_ring_visit() to return. */
typedef int old_ring_visitor(void *context, const char *bytes, size_t length, uint32_t events);

/* Visits the waiting, unrefused parcels in that writer's lanes, lane by lane, oldest first. */
int old_ring_visit(const struct old_ring *ring, uint32_t writer, old_ring_visitor *visit, void *context);

/*
 * Records in one store that all of that writer's waiting events are done with, `spooled` to the spool and `damaged`
 * lost, and releases the lanes.
 */
void old_ring_commit(const struct old_ring *ring, uint32_t writer, uint64_t spooled, uint64_t damaged);

/* Returns the memory of the arenas to the file system if possible; the file keeps its size. */
void old_ring_empty(const struct old_ring *ring, int fd);

#endif
