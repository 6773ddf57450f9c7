/*
 * The shared segment: one file that master, acceptors and writers map, normally under /dev/shm.
 *
 *   offset 0                                                        all offsets follow from the header's numbers
 *   | header page | process slots | lane controls | descriptors per lane | arena | arena | ... |
 *   | one page    | A + W         | A * W * 256   | A * W * slots * 16   |  A * W arenas, whole pages each |
 *
 * Offsets only, never pointers. It outlives its processes: after a crash of the whole tree the next master adopts it
 * and the writers store what was acknowledged. A lock (flock) on the file, inherited by every child, keeps a second
 * master out for as long as any process of the first one lives.
 */
#ifndef SHM_SEGMENT_H
#define SHM_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"
#include "base/error.h"
#include "shm/counters.h"
#include "shm/lane.h"
#include "shm/ledger.h"
#include "shm/usage.h"
#include "shm/wake.h"

#define SEGMENT_MAGIC "hooksrg9" /* bump the last digit when this header's structs change */
#define SEGMENT_UNFINISHED "hooksrg?" /* stands there while the segment is being made: nothing is in it yet */
#define BOOT_ID_BYTES 40
#define PROCESSES_MAX (ACCEPTORS_MAX + WRITERS_MAX)

struct segment_header {
	char magic[8]; /* written last */
	uint32_t acceptors, writers, lane_slots;
	uint32_t storage; /* enum storage, of the present master */
	uint32_t counts_on; /* earlier is of a segment that stood here before */
	uint32_t file_gone; /* 1: another file stands at RING_PATH, or none: nobody would find this one */
	uint64_t file_bytes, arena_bytes;
	int64_t started_us; /* steady clock, of the present master */
	int32_t master_pid;
	uint32_t draining; /* 1: the master has been told to stop */
	int64_t store_until_us; /* steady clock; when draining: from then on what is not stored yet goes to the spool */
	char version[32];
	char boot_id[BOOT_ID_BYTES]; /* of the machine's start in which the segment was last used */
	char jsonl_path[2048]; /* JSONL_PATH when no append to a JSONL file was open (shm/ledger.h); "": too long */
	uint64_t earlier[COUNTERS]; /* what was counted before this segment was made */
	struct usage usage; /* the master's */
	uint64_t alive_until_us; /* the master's, as in a slot */
};

_Static_assert(sizeof(struct segment_header) <= 4096, "the header has one page");

enum process_state { PROCESS_DOWN = 0, PROCESS_STARTING = 1, PROCESS_READY = 2, PROCESS_DRAINING = 3 };
/*
 * CONNECTING: not reached since the master started, and no spool of an earlier run shows that it was reached before;
 * SPOOLING: lost, the spool takes the events; UNAVAILABLE: lost, and there is no spool or no room in it.
 */
enum store_state { STORE_CONNECTING = 0, STORE_READY = 1, STORE_UNAVAILABLE = 2, STORE_SPOOLING = 3 };

/* One per acceptor, then one per writer. Written by its process (pid and state: by the master too), read by all. */
struct process_slot {
	_Alignas(128) uint32_t sleeping; /* see shm/wake.h */
	int32_t pid;
	uint32_t state; /* enum process_state */
	uint32_t store_state; /* writers: enum store_state */
	int64_t started_us; /* steady clock */
	uint64_t alive_until_us; /* steady clock; see shm/heartbeat.h */
	uint64_t counters[COUNTERS];
	uint64_t levels[LEVELS];
	struct histogram_numbers histograms[HISTOGRAMS];
	uint64_t gauges[GAUGES]; /* see gauges_set() */
	uint64_t gauges_us; /* steady clock, when they were set; 0: never */
	struct usage usage;
	int64_t unavailable_since_us; /* writers: steady clock; 0: the store works, or was not tried yet */
	char store_error[ERROR_TEXT_MAX]; /* writers: why the store is unavailable; "" otherwise */
	int64_t spool_oldest_us; /* writers: steady clock, since when the spool's oldest file waits; 0: it is empty */
	int64_t sync_failed_us; /* writers: wall clock, when a file could last not be synced; 0: never */
	struct ledger ledger; /* writers */
};

/* One process's view. Made by the master before it forks; children inherit it and map their own lanes. */
struct segment {
	int fd;
	struct segment_header *header;
	struct process_slot *processes; /* acceptors first, then writers */
	uint64_t mapped_bytes; /* everything before the arenas */
	uint32_t acceptors, writers; /* of the segment: after an adoption they may differ from the configuration's */
	int wake_fds[PROCESSES_MAX];
	int master_fd; /* eventfd: a child writes to it when its state in the slot has changed */
	bool fresh; /* made anew, with nothing counted in it */
};

/*
 * Creates the segment at config->ring_path or adopts what stands there. While the old one is needed, its shape
 * (acceptors, writers, sizes) is kept for this run; after that, it is made anew and only its counters go on; a file
 * that is no readable segment is renamed aside with a message. Master only. Returns 0, or <0 when it is in use by
 * another master, cannot be made, or is too small.
 */
int segment_open(struct segment *segment, const struct config *config, struct error *err);

/* Maps an existing segment for looking only (hooksctl); lanes cannot be mapped from it. Returns 0 or <0. */
int segment_open_readonly(struct segment *segment, const char *path, struct error *err);

/* Unmaps; the file stays. */
void segment_close(struct segment *segment);

/*
 * A lane's controls without its arena: enough for depth and release. With arena: maps it twice in a row; only for the
 * lane's acceptor and its writer. Returns 0 or <0 (out of address space or memory).
 */
struct lane segment_lane(const struct segment *segment, uint32_t acceptor, uint32_t writer);
int segment_map_lane(
    const struct segment *segment, uint32_t acceptor, uint32_t writer, struct lane *lane, struct error *err);

/* Parcels' events waiting in all lanes; not those of refused ones. */
uint64_t segment_events_waiting(const struct segment *segment);

struct process_slot *segment_acceptor(const struct segment *segment, uint32_t index);
struct process_slot *segment_writer(const struct segment *segment, uint32_t index);
struct wake segment_wake_acceptor(const struct segment *segment, uint32_t index);
struct wake segment_wake_writer(const struct segment *segment, uint32_t index);

/*
 * The lock of the file that writers share, and of the notes about appends to it: a record lock on the segment's file,
 * which the kernel gives up when its holder dies. The second does not wait: false when another process holds it, or it cannot be had now. Not for
 * the master: such locks belong to one process and are not inherited.
 */
void segment_append_lock(const struct segment *segment);
bool segment_append_try_lock(const struct segment *segment);
void segment_append_unlock(const struct segment *segment);

/* A child says what it does now; the master is woken. */
void segment_announce(const struct segment *segment, struct process_slot *slot, enum process_state state);

/* Adds to a counter of this process's slot: single writer, so no locked instruction. Any process reads the sums. */
void counter_add(struct process_slot *slot, enum counter counter, uint64_t n);
uint64_t segment_counter_sum(const struct segment *segment, enum counter counter);

/*
 * Makes header go on from counters that an earlier run has left. All it ever received is in them, but for what stands in
 * the spool, which its writers find and count again. For a master without children.
 */
void segment_count_from(struct segment_header *header, const uint64_t counters[COUNTERS]);

/* Adds an observation, in microseconds or pieces, to a histogram of this process's slot; the sums over all. */
void histogram_add(struct process_slot *slot, enum histogram histogram, uint64_t value);
struct histogram_numbers segment_histogram_sum(const struct segment *segment, enum histogram histogram);

/* Sets a level of this process's slot; the sum over all. */
void level_set(struct process_slot *slot, enum level level, uint64_t value);
uint64_t segment_level_sum(const struct segment *segment, enum level level);

/* Sets all gauges of this process's slot. segment_gauges() finds the ones that were set last; NULL: none ever were. */
void gauges_set(struct process_slot *slot, const uint64_t values[GAUGES]);
const uint64_t *segment_gauges(const struct segment *segment);

#endif
