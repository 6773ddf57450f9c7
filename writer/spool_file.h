/*
 * The format of a spool file: a header, then records back to back (event/record.h; event/record_v1.h in files that
 * hooksd 0.1.0 wrote). It is in host byte order, because a file never leaves its machine.
 *
 *   0       8         12       16         24        32     40       48     56        60     64
 *   | magic | version | writer | sequence | created | done | done   | end  | events  | crc  | records ...
 *   |       |         |        |          | us      |      | events |      |         | 32c  |
 *
 * Everything in front of the offset done is in the store; every append in front of the offset end was completed. The
 * header is not synced, so a power cut may leave both too small: then some records are stored again, and records
 * behind end count if they are whole.
 */
#ifndef WRITER_SPOOL_FILE_H
#define WRITER_SPOOL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "shm/ledger.h"

#define SPOOL_MAGIC "hookssp1"
#define SPOOL_VERSION 1

struct spool_header {
	char magic[8];
	uint32_t version;
	uint32_t writer;
	uint64_t sequence;
	int64_t created_us; /* wall clock */
	uint64_t done, done_events; /* an offset; records in front of it, damaged ones left out */
	uint64_t end; /* an offset */
	uint32_t events; /* records in front of end */
	uint32_t crc32c; /* of all before it */
};

_Static_assert(sizeof(struct spool_header) == 64, "the spool's header is part of the stored format");

/* In DATA_DIR: the spool of hook events, and that of published events. */
#define SPOOL_DIRECTORY "spool"
#define SPOOL_DIRECTORY_PUBLISHED "hl-spool"
#define SPOOL_DAMAGED_PREFIX "damaged-" /* of what was set aside as damaged */
#define SPOOL_NAME_MAX 96

/* What a file's name says. A sequence is used again when a writer starts with an empty spool. */
struct spool_id {
	uint32_t writer;
	uint64_t sequence;
};

/* The older one first, for qsort(): <0, 0 or >0. */
int spool_id_compare(struct spool_id a, struct spool_id b);

/* "spool-00-000000000007.bin"; parsing takes nothing else. */
void spool_file_name(struct spool_id id, char out[SPOOL_NAME_MAX]);
bool spool_file_parse_name(const char *name, struct spool_id *id);

/*
 * The name under which damage of that file is set aside: "damaged-00-000000000007-TIME.bin" for the whole file, offset
 * 0; "damaged-00-000000000007-TIME-OFFSET.bin" for what was cut out of it at that offset. The time, in microseconds of
 * the wall clock, tells apart files of the same sequence.
 */
void spool_damaged_name(struct spool_id id, int64_t time_us, uint64_t offset, char out[SPOOL_NAME_MAX]);

/* Fills in magic, version and checksum and writes the header at the file's start, unsynced. 0 or <0. */
int spool_header_write(int fd, struct spool_header *header, struct error *err);

/*
 * Moves the progress in *header forward: everything in front of the offset done is stored or set aside, done_events
 * records of it in all. Keeps end and events at least as large. Writes nothing.
 */
void spool_header_advance(struct spool_header *header, uint64_t done, uint64_t done_events);

/*
 * The same by what a ledger knows of the file that has this header and that size. Returns whether that was more than
 * the header says; otherwise *header is unchanged. The caller has found the file by known's writer and sequence.
 */
bool spool_header_catch_up(struct spool_header *header, const struct spool_progress *known, uint64_t size);

/*
 * Reads the header of a file of that size. Returns 0; <0 when it cannot be read; or SPOOL_HEADER_DAMAGED when it is
 * damaged or impossible: then *header has the numbers with which all of the file is read, done is the first record's
 * offset and end is 0.
 */
enum spool_header_condition { SPOOL_HEADER_DAMAGED = 1 };
int spool_header_read(int fd, uint64_t size, struct spool_header *header, struct error *err);

#endif
