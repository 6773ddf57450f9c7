/*
 * How the segment's file is laid out. All offsets follow from the numbers in its header; there are no pointers in it.
 *
 *   | header page | slots, role by role | lane controls | descriptors per lane | keys | arena | arena | ... |
 *   | one page    | slot_bytes[]        | L * 256       | L * lane_slots * 16  |      | L arenas, whole pages |
 *
 * L lanes: of each group in lane_group_table[] one from each process of one role to each of the other, group by group.
 * The arenas of a group are of one size. keys: the table of API keys (shm/key_table.h), or nothing when there is no
 * API.
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

/* Its last character changes with the structs here and in shm/key_table.h, and with RECORD_VERSION. */
#define SEGMENT_MAGIC "hooksrgg"
#define SEGMENT_UNFINISHED "hooksr?d" /* of the same version, and being made: no event is in it yet */
#define BOOT_ID_BYTES 40

struct segment_header {
	char magic[8]; /* written last */
	uint32_t counts[ROLES]; /* of processes, by role */
	uint32_t lane_slots;
	uint32_t storage; /* enum storage, of the present master */
	uint32_t counts_on; /* 1: earlier continues an earlier segment's counters */
	uint32_t file_gone; /* see segment_file_gone() */
	uint32_t has_keys; /* 1: there is a table of API keys */
	uint32_t reserved;
	uint64_t file_bytes;
	uint64_t arena_bytes[LANE_GROUPS]; /* of each lane of the group */
	int64_t started_us; /* steady clock, of the present master */
	int32_t master_pid;
	uint32_t draining; /* see segment_draining() */
	int64_t store_until_us; /* see segment_store_until_us() */
	uint64_t certificate_end_s; /* see segment_certificate_end_s() */
	struct node_words node; /* shm/node.h */
	char version[32];
	char boot_id[BOOT_ID_BYTES]; /* of the machine's start in which the segment was last used: segment_boot_id() */
	char jsonl_path[2048]; /* JSONL_PATH when no append to a JSONL file was open (shm/ledger.h); "": too long */
	uint64_t earlier[COUNTERS]; /* what was counted before this segment was made */
	struct usage usage; /* the master's */
	uint64_t alive_until_us; /* the master's, as in a slot */
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

/* The group of the lane with that number among all, and where its arena begins. */
enum lane_group segment_lane_group(const struct segment_header *header, uint32_t number);
uint64_t segment_arena_offset(const struct segment_header *header, uint32_t number);

/* Whether a file of that size can be what its header says. */
bool segment_plausible(const struct segment_header *header, uint64_t file_bytes);

#endif
