/*
 * Reads the records of a spool file. The file is untrusted: every record must pass record_check() or record_v1_check().
 */
#ifndef WRITER_SPOOL_READER_H
#define WRITER_SPOOL_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "event/record.h"

/* A reusable buffer and the last call's result. All zero at first. */
struct spool_reader {
	char *buffer;
	char *converted; /* records of version 1 in buffer, converted, at the same offsets; or NULL */
	size_t capacity;
	const struct record **records; /* `count` checked records in buffer or converted, valid until the next call */
	uint32_t count, records_capacity;
	uint64_t from, to; /* file offsets of the result */
	bool damaged; /* the result is damage; count is 0 */
};

/*
 * Reads at offset from, a multiple of 8, in a file of that size: a run of whole records, a few MiB, or a run of damage
 * up to the next whole record. At the end of the file count is 0. Returns 0, or <0 if the file cannot be read.
 */
int spool_read_at(struct spool_reader *reader, int fd, uint64_t from, uint64_t size, struct error *err);

void spool_reader_free(struct spool_reader *reader);

#endif
