/*
 * The layout of the segment's file. All offsets follow from the numbers in its header. It has no pointers.
 *
 *   | header page | slots, role by role | lane controls | descriptors per lane | keys | arena | arena | ... |
 *   | one page    | slot_bytes[]        | L * 256       | L * lane_slots * 16  |      | L arenas, whole pages |
 *
 * L lanes: for each group of lane_group_table[] one from each producer to each consumer. The arenas of a group have the
 * same size. keys: the table of API keys (shm/key_table.h), or nothing without the API.
 */
#ifndef SHM_SEGMENT_LAYOUT_H
#define SHM_SEGMENT_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "shm/node.h"
#include "shm/roles.h"
#include "shm/series.h"
#include "shm/usage.h"

/* Raise its last character when structs here or in shm/key_table.h change, or RECORD_VERSION. */
#define SEGMENT_MAGIC "hooksrgg"
#define SEGMENT_UNFINISHED "hooksr?d" /* same version, not finished: it has no events */
#define BOOT_ID_BYTES 40

struct segment_header {
	char magic[8]; /* written last */
	uint32_t counts[ROLES]; /* of processes, by role */
	uint32_t lane_slots;
	uint32_t storage; /* enum storage, of the current master */
	uint32_t counts_on; /* 1: `earlier` has the counters of an earlier segment */
	uint32_t file_gone; /* see segment_file_gone() */
	uint32_t has_keys; /* 1: there is a table of API keys */
	uint32_t reserved;
	uint64_t file_bytes;
	uint64_t arena_bytes[LANE_GROUPS]; /* of each lane of the group */
	int64_t started_us; /* steady clock, start of the current master */
	int32_t master_pid;
	uint32_t draining; /* see segment_draining() */
	int64_t store_until_us; /* see segment_store_until_us() */
	uint64_t certificate_end_s; /* see segment_certificate_end_s() */
	struct node_words node; /* shm/node.h */
	char version[32];
	char boot_id[BOOT_ID_BYTES]; /* segment_boot_id() of the segment's last use */
	char jsonl_path[2048]; /* the last JSONL_PATH with no JSONL append open (shm/ledger.h); "": too long */
	uint64_t earlier[COUNTERS]; /* counters from before this segment was made */
	struct usage usage; /* the master's */
	uint64_t alive_until_us; /* the master's heartbeat, as in a slot */
};

_Static_assert(sizeof(struct segment_header) <= 4096, "the header has one page");

/* The size of a slot, by role. */
extern const uint32_t slot_bytes[ROLES];

/* The kernel's page size: arenas are mapped one by one. */
#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))

/* Offsets in the file. */
struct segment_layout {
	uint64_t slots[ROLES], controls, descriptors, keys, arenas, end;
};

struct segment_layout segment_layout(const struct segment_header *header);

/* The group of the lane with that number, and the offset of its arena. */
enum lane_group segment_lane_group(const struct segment_header *header, uint32_t number);
uint64_t segment_arena_offset(const struct segment_header *header, uint32_t number);

/* Whether the header is valid for a file of that size. */
bool segment_plausible(const struct segment_header *header, uint64_t file_bytes);

#endif
