/*
 * The ring file of hooksd 0.1.0: what its ledgers say, what waits in its lanes, and the few words that 0.1.0 itself
 * would write to record that an event went to the spool. master/old_ring_import.c uses it at start. To be removed
 * with 1.0.
 *
 * The bytes are hostile until old_ring_open() has returned OLD_RING_WHOLE. After that every call stays inside the file,
 * and what a parcel holds is still to be checked. Only for a master without children that holds the file's lock.
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

/* OTHER: not a file of 0.1.0. UNFINISHED: it was being made; only old_ring_counters() may be called. */
enum old_ring_kind { OLD_RING_OTHER, OLD_RING_UNFINISHED, OLD_RING_DAMAGED, OLD_RING_WHOLE };

/*
 * Maps the file at fd, which is borrowed. Returns an enum old_ring_kind, or <0 when the file cannot be read or mapped.
 * After UNFINISHED and WHOLE the caller calls old_ring_close().
 */
int old_ring_open(struct old_ring *ring, int fd, struct error *err);
void old_ring_close(struct old_ring *ring);

/* The master's pid in the header of the file at fd, 0 when that is no header of 0.1.0. Needs no lock. */
int32_t old_ring_master_pid(int fd);

/* "" when they are not known. Valid until old_ring_close(). */
const char *old_ring_boot_id(const struct old_ring *ring);
const char *old_ring_jsonl_path(const struct old_ring *ring);

/* Records, as 0.1.0 does when it adopts a ring, that what the ring says from now on is of that boot of the machine. */
void old_ring_set_boot_id(const struct old_ring *ring, const char *boot_id);

/* The sums of all that was counted, in today's order. */
void old_ring_counters(const struct old_ring *ring, uint64_t counters[COUNTERS]);

/* Applies the current page of that writer's ledger to its lanes, as settle_lanes() does today. */
void old_ring_settle(const struct old_ring *ring, uint32_t writer);

/* Events that wait in all lanes, without those of refused parcels. After old_ring_settle(). */
uint64_t old_ring_events_waiting(const struct old_ring *ring);

/* Whether that writer's append to that file was not committed; if so, *append is a copy. */
bool old_ring_append_open(
    const struct old_ring *ring, uint32_t writer, enum append_file file, struct unfinished_append *append);

/* Records, before its first byte, that an append to the spool begins; done: that nothing of an append remains. */
void old_ring_append_begin(const struct old_ring *ring, uint32_t writer, const struct unfinished_append *append);
void old_ring_append_done(const struct old_ring *ring, uint32_t writer, enum append_file file);

/* How much of which spool file is stored, as the current page knows it. */
struct spool_progress old_ring_replayed(const struct old_ring *ring, uint32_t writer);

/* A parcel's bytes, valid during the call; 0 to go on, or a value that old_ring_visit() returns. */
typedef int old_ring_visitor(void *context, const char *bytes, size_t length, uint32_t events);

/* Shows the parcels that wait in that writer's lanes and were not refused, lane by lane, oldest first. */
int old_ring_visit(const struct old_ring *ring, uint32_t writer, old_ring_visitor *visit, void *context);

/*
 * Records in one store that everything in that writer's lanes went to the spool, that many events of it, but for that
 * many damaged ones, and releases the lanes.
 */
void old_ring_commit(const struct old_ring *ring, uint32_t writer, uint64_t spooled, uint64_t damaged);

/* Gives the memory of the lanes' arenas back to the file system, if it can; the file keeps its size. */
void old_ring_empty(const struct old_ring *ring, int fd);

#endif
