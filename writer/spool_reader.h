/*
 * Reading the records of a spool file. The file is not trusted: only what record_check() or record_v1_check() has
 * passed is a record.
 */
#ifndef WRITER_SPOOL_READER_H
#define WRITER_SPOOL_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "event/record.h"

/* A buffer that every call reuses, and what the last call found in it. All zero at first. */
struct spool_reader {
	char *buffer;
	char *converted; /* the records of version 1 in buffer, at the same places, as records of today; or NULL */
	size_t capacity;
	const struct record **records; /* into buffer or converted, valid until the next call; count of them, checked */
	uint32_t count, records_capacity;
	uint64_t from, to; /* what was found stands at these offsets of the file */
	bool damaged; /* that is no record; count is 0 */
};

/*
 * Reads at the offset from, a multiple of 8, in a file of that size: a run of whole records, some MiB of them, or a run
 * of damage, which ends where a whole record begins. At the end of the file count is 0. Returns 0, or <0 when the file
 * cannot be read.
 */
int spool_read_at(struct spool_reader *reader, int fd, uint64_t from, uint64_t size, struct error *err);

void spool_reader_free(struct spool_reader *reader);

#endif
