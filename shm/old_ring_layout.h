/*
 * The layout of a ring file of hooksd 0.1.0, from that version's headers. It never changes; shm/segment_layout.h has
 * today's layout. For shm/old_ring.c and its test.
 *
 *   | header page | slots: acceptors, writers | lane controls | descriptors per lane | arena | arena | ... |
 *
 * The lane from acceptor a to writer w is number a * writers + w. Each part begins on a page.
 */
#ifndef SHM_OLD_RING_LAYOUT_H
#define SHM_OLD_RING_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define RING9_MAGIC "hooksrg9"
#define RING9_UNFINISHED "hooksrg?" /* the ring is not finished: only counts_on and earlier are valid */

#define RING9_ACCEPTORS_MAX 64
#define RING9_WRITERS_MAX 32
#define RING9_COUNTERS 78
#define RING9_LEDGER_COUNTERS 7 /* the first ones */
#define RING9_COUNTER_DAMAGED 4
#define RING9_COUNTER_SPOOLED 6

struct ring9_header {
	char magic[8];
	uint32_t acceptors, writers, lane_slots;
	uint32_t storage;
	uint32_t counts_on; /* earlier is valid */
	uint32_t file_gone;
	uint64_t file_bytes, arena_bytes;
	int64_t started_us;
	int32_t master_pid;
	uint32_t draining;
	int64_t store_until_us;
	char version[32];
	char boot_id[40];
	char jsonl_path[2048];
	uint64_t earlier[RING9_COUNTERS];
	char usage[32];
	uint64_t alive_until_us;
};

struct ring9_progress {
	uint32_t writer, reserved;
	uint64_t sequence;
	int64_t created_us;
	uint64_t done, done_events;
};

enum ring9_fate { RING9_STORED, RING9_SPOOLED, RING9_REFUSED };

struct ring9_page {
	uint64_t serial;
	uint64_t counters[RING9_LEDGER_COUNTERS];
	uint64_t spool_events;
	struct ring9_progress replayed;
	uint64_t replays;
	uint32_t fate;
	uint32_t release[RING9_ACCEPTORS_MAX];
};

enum ring9_append_state { RING9_APPEND_NONE, RING9_APPEND_BEGUN, RING9_APPEND_BROKEN };
enum ring9_append_file { RING9_APPEND_JSONL, RING9_APPEND_SPOOL, RING9_APPEND_FILES };

struct ring9_append {
	uint32_t state, reserved;
	uint64_t serial;
	uint64_t device, inode, offset;
	uint64_t bytes;
};

struct ring9_ledger {
	uint32_t current, reserved;
	uint64_t replays_noted;
	struct ring9_append appends[RING9_APPEND_FILES];
	struct ring9_page pages[2];
};

struct ring9_slot {
	char process[32];
	uint64_t counters[RING9_COUNTERS];
	char numbers[1120]; /* levels, histograms, gauges, usage, the store's state */
	struct ring9_ledger ledger; /* of writers */
	char pad[32];
};

struct ring9_lane {
	uint32_t c_head;
	char pad_head[60];
	uint32_t p_tail, p_head;
	char pad_tail[56];
	uint32_t size, mask;
	uint64_t events[2]; /* ever published, when p_tail is even, when it is odd */
	char pad[104];
};

#define RING9_AWAITED 1u
#define RING9_SPOOLED_FLAG 2u
#define RING9_IN_DOUBT 4u
#define RING9_REFUSED_FLAG 8u
#define RING9_DISMISSED 16u
#define RING9_FLAGS 31u

struct ring9_descriptor {
	uint64_t end;
	uint32_t events;
	uint32_t flags;
};

_Static_assert(sizeof(struct ring9_header) == 2856, "the header of 0.1.0");
_Static_assert(offsetof(struct ring9_header, file_bytes) == 32, "the header of 0.1.0");
_Static_assert(offsetof(struct ring9_header, master_pid) == 56, "the header of 0.1.0");
_Static_assert(offsetof(struct ring9_header, boot_id) == 104, "the header of 0.1.0");
_Static_assert(offsetof(struct ring9_header, jsonl_path) == 144, "the header of 0.1.0");
_Static_assert(offsetof(struct ring9_header, earlier) == 2192, "the header of 0.1.0");
_Static_assert(sizeof(struct ring9_page) == 384, "a ledger's page of 0.1.0");
_Static_assert(offsetof(struct ring9_page, replayed) == 72, "a ledger's page of 0.1.0");
_Static_assert(offsetof(struct ring9_page, release) == 124, "a ledger's page of 0.1.0");
_Static_assert(sizeof(struct ring9_append) == 48, "an append of 0.1.0");
_Static_assert(sizeof(struct ring9_ledger) == 880, "a ledger of 0.1.0");
_Static_assert(offsetof(struct ring9_ledger, pages) == 112, "a ledger of 0.1.0");
_Static_assert(sizeof(struct ring9_slot) == 2688, "a slot of 0.1.0");
_Static_assert(offsetof(struct ring9_slot, counters) == 32, "a slot of 0.1.0");
_Static_assert(offsetof(struct ring9_slot, ledger) == 1776, "a slot of 0.1.0");
_Static_assert(sizeof(struct ring9_lane) == 256, "a lane's controls of 0.1.0");
_Static_assert(offsetof(struct ring9_lane, p_tail) == 64, "a lane's controls of 0.1.0");
_Static_assert(offsetof(struct ring9_lane, size) == 128, "a lane's controls of 0.1.0");
_Static_assert(offsetof(struct ring9_lane, events) == 136, "a lane's controls of 0.1.0");
_Static_assert(sizeof(struct ring9_descriptor) == 16, "a descriptor of 0.1.0");

#endif
