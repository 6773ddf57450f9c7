/* The header is checked once, in the memory that is used afterwards: the file may change meanwhile. */
#include "shm/segment_image.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/calendar.h"
#include "base/files.h"
#include "event/publish_outcome.h"
#include "event/record.h"

#define MAGIC_BYTES (sizeof SEGMENT_MAGIC - 1)
#define MAGIC_COMMON 6 /* characters that all versions have in common */

_Static_assert(MAGIC_BYTES == sizeof((struct segment_header *)0)->magic, "the magic fills its member");

/* Says what is wrong with a header that is not plausible. Returns -1. */
static int
refuse(const struct segment_header *h, uint64_t bytes, const char *path, struct error *err)
{
	char magic[MAGIC_BYTES + 1] = "";

	for (size_t i = 0; i < MAGIC_BYTES; i++)
		magic[i] = (char)(h->magic[i] > ' ' && h->magic[i] < '\x7f' ? h->magic[i] : '.');
	if (memcmp(h->magic, SEGMENT_UNFINISHED, MAGIC_BYTES) == 0)
		return error_set(err, "%s is a ring that hooksd was about to make: no event is in it", path);
	if (memcmp(h->magic, SEGMENT_MAGIC, MAGIC_COMMON) != 0)
		return error_set(err, "%s is no ring of hooksd: it begins with '%s'", path, magic);
	if (memcmp(h->magic, SEGMENT_MAGIC, MAGIC_BYTES) != 0)
		return error_set(err,
		    "%s is a ring of another version of hooksd: it begins with '%s', and this hooksctl reads "
		    "'" SEGMENT_MAGIC "'",
		    path, magic);
	if (h->file_bytes != bytes)
		return error_set(err, "%s is cut short or damaged: it has %llu bytes, and its header says %llu", path,
		    (unsigned long long)bytes, (unsigned long long)h->file_bytes);
	return error_set(err, "%s is damaged: the numbers in its header contradict each other", path);
}

/* Makes the lanes' shapes those that the header says. */
static void
reshape_lanes(const struct segment *segment)
{
	const uint32_t slots = segment->header->lane_slots;

	for (uint32_t n = 0; n < segment_lane_count(segment); n++) {
		struct lane lane = segment_lane_at(segment, n);

		if (!lane_shape_valid(&lane, slots))
			lane_invalidate(&lane, slots);
	}
}

int
segment_image_read(struct segment *segment, int fd, const char *path, struct error *err)
{
	struct segment_header h;
	struct stat st;

	memset(segment, 0, sizeof *segment);
	if (fstat(fd, &st) != 0)
		return error_errno(err, "cannot read %s", path);
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof h)
		return error_set(err, "%s is no ring of hooksd: it is no file, or shorter than a ring's header", path);
	if (files_read_at(fd, &h, sizeof h, 0) != 0)
		return error_errno(err, "cannot read %s", path);
	if (!segment_plausible(&h, (uint64_t)st.st_size))
		return refuse(&h, (uint64_t)st.st_size, path, err);

	const uint64_t bytes = segment_layout(&h).keys;
	void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED)
		return error_errno(
		    err, "cannot read %s: %llu bytes of memory are wanted", path, (unsigned long long)bytes);
	if (files_read_at(fd, base, bytes, 0) != 0) {
		(void)error_errno(err, "cannot read %s", path);
		(void)munmap(base, bytes);
		return -1;
	}
	memcpy(base, &h, sizeof h);
	segment_view(segment, fd, base, bytes);
	reshape_lanes(segment);
	return 0;
}

/* Copies len bytes of the lane's arena, which is read as a circle. Returns 0 or <0. */
static int
read_arena(const struct segment *segment, uint32_t lane, uint64_t at, char *out, size_t len)
{
	const uint64_t size = segment_lane_at(segment, lane).arena_bytes;
	const off_t arena = (off_t)segment_arena_offset(segment->header, lane);
	const uint64_t first = at % size;
	const size_t part = len < size - first ? len : size - first;

	if (files_read_at(segment->fd, out, part, arena + (off_t)first) != 0)
		return -1;
	return files_read_at(segment->fd, out + part, len - part, arena);
}

bool
segment_image_received_us(const struct segment *segment, uint32_t lane, uint64_t at, int64_t *us)
{
	_Alignas(struct record) char head[RECORD_CLAIM_BYTES];
	const enum books books = segment_lane_books(segment, lane);

	if (books == BOOKS_MESSAGES)
		at += sizeof(struct publish_outcome);
	if (books == BOOKS_NONE || read_arena(segment, lane, at, head, sizeof head) != 0 ||
	    record_claims(head, sizeof head) == 0)
		return false;
	*us = ((const struct record *)(const void *)head)->received_us;
	return *us >= 0 && *us < calendar_day((struct calendar_date){9999, 12, 31}) * CALENDAR_DAY_US;
}
