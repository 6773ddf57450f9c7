/*
 * The format of a spool file: a header, then records back to back (event/record.h; event/record_v1.h in files that
 * hooksd 0.1.0 wrote). It is in host byte order, because a file never leaves its machine.
 *
 *   0       8         12       16         24        32     40       48     56        60     64
 *   | magic | version | writer | sequence | created | done | done   | end  | events  | crc  | records ...
 *   |       |         |        |          | us      |      | events |      |         | 32c  |
 *
 * All records before offset done are in the store; all appends before offset end were completed. The header is not
 * synced, so after a power cut both may be too small: then some records are stored again, and whole records after end
 * count, too.
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
	uint64_t done, done_events; /* an offset; the records before it, without damaged ones */
	uint64_t end; /* an offset */
	uint32_t events; /* records before end */
	uint32_t crc32c; /* of all before it */
};

_Static_assert(sizeof(struct spool_header) == 64, "the spool's header is part of the stored format");

/* In DATA_DIR: the spool of hook events, and that of published events. */
#define SPOOL_DIRECTORY "spool"
#define SPOOL_DIRECTORY_PUBLISHED "hl-spool"
#define SPOOL_DAMAGED_PREFIX "damaged-" /* name prefix of damage set aside */
#define SPOOL_NAME_MAX 96

/* The numbers in a file's name. A writer that starts with an empty spool reuses sequences. */
struct spool_id {
	uint32_t writer;
	uint64_t sequence;
};

/* Orders by age, oldest first, for qsort(): <0, 0 or >0. */
int spool_id_compare(struct spool_id a, struct spool_id b);

/* "spool-00-000000000007.bin"; parsing accepts only this form. */
void spool_file_name(struct spool_id id, char out[SPOOL_NAME_MAX]);
bool spool_file_parse_name(const char *name, struct spool_id *id);

/*
 * The name for damage of that file: "damaged-00-000000000007-TIME.bin" for the whole file (offset 0),
 * "damaged-00-000000000007-TIME-OFFSET.bin" for a part at that offset. The time, in microseconds of the wall clock,
 * distinguishes files of the same sequence.
 */
void spool_damaged_name(struct spool_id id, int64_t time_us, uint64_t offset, char out[SPOOL_NAME_MAX]);

/* Fills in magic, version and checksum and writes the header at the file's start, unsynced. 0 or <0. */
int spool_header_write(int fd, struct spool_header *header, struct error *err);

/*
 * Advances the progress in *header: everything before offset done is stored or set aside, done_events records in all.
 * Raises end and events if they are smaller. Writes nothing.
 */
void spool_header_advance(struct spool_header *header, uint64_t done, uint64_t done_events);

/*
 * Advances *header to a ledger's progress for this file of that size. Returns whether the ledger was ahead; otherwise
 * *header is unchanged. The caller has matched known's writer and sequence.
 */
bool spool_header_catch_up(struct spool_header *header, const struct spool_progress *known, uint64_t size);

/*
 * Reads the header of a file of that size. Returns 0; <0 if it cannot be read; or SPOOL_HEADER_DAMAGED: then *header is
 * set for reading the whole file, with done at the first record and end 0.
 */
enum spool_header_condition { SPOOL_HEADER_DAMAGED = 1 };
int spool_header_read(int fd, uint64_t size, struct spool_header *header, struct error *err);

#endif
