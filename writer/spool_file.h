/*
 * One file of the spool: a header, then records back to back (event/record.h). Host byte order: it never leaves its machine.
 *
 *   0       8         12       16         24        32     40       48     56        60     64
 *   | magic | version | writer | sequence | created | done | done   | end  | events  | crc  | records ...
 *   |       |         |        |          | us      |      | events |      |         | 32c  |
 *
 * done is the offset up to which everything is in the store, end the one up to which an append was completed. Both may
 * lag behind what is true, because the header is not synced: then some records are stored again, and what stands after
 * end counts as far as it is whole.
 */
#ifndef WRITER_SPOOL_FILE_H
#define WRITER_SPOOL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "event/record.h"

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

#define SPOOL_NAME_MAX 64

/* "spool-00-000000000007.bin"; parsing takes nothing else. */
void spool_file_name(uint32_t writer, uint64_t sequence, char out[SPOOL_NAME_MAX]);
bool spool_file_parse_name(const char *name, uint32_t *writer, uint64_t *sequence);

/* Fills in magic, version and checksum and writes the header at the file's start, unsynced. 0 or <0. */
int spool_header_write(int fd, struct spool_header *header, struct error *err);

/*
 * Reads the header of a file of that size. 0, <0 when it cannot be read, or SPOOL_HEADER_DAMAGED: it is, or says impossible
 * things; *header then has the numbers with which all of the file is read: done is the first record's place, end is 0.
 */
enum spool_header_condition { SPOOL_HEADER_DAMAGED = 1 };
int spool_header_read(int fd, uint64_t size, struct spool_header *header, struct error *err);

/* Reading: a buffer that is used again and again, and what the last call found in it. All zero at first. */
struct spool_reader {
	char *buffer;
	size_t capacity;
	const struct record **records; /* into buffer, valid until the next call; count of them, checked */
	uint32_t count, records_capacity;
	uint64_t from, to; /* the place in the file of what was found */
	bool damaged; /* no records: what stands there is none */
};

/*
 * Reads on at the offset from (a multiple of 8): a run of whole records, some MiB of them, or a run of damage, which
 * ends where a whole record begins. Returns 0, or <0 when the file cannot be read. from == size: count is 0.
 */
int spool_read_at(struct spool_reader *reader, int fd, uint64_t from, uint64_t size, struct error *err);

void spool_reader_free(struct spool_reader *reader);

#endif
