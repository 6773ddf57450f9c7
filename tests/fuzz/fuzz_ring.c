/*
 * A valid ring with a process of each role and parcels in its lanes, which the input overwrites: each 8 bytes of it are
 * an offset in the file and the word to write there. A shorter rest cuts the file. For every input:
 *
 *   - a ring is refused with a message, or printed as text and as JSON;
 *   - the JSON is an object that has for each lane whether it is whole;
 *   - no printed byte controls a terminal.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "cli/ring_json.h"
#include "cli/ring_look.h"
#include "cli/ring_text.h"
#include "event/publish_outcome.h"
#include "event/record.h"
#include "shm/segment_image.h"
#include "tests/fuzz/target.h"

#define PARCELS 3

static char *ring; /* a valid ring */
static size_t ring_bytes;
static int file = -1;

/* Publishes parcels of one record each, after the outcomes or jobs that lanes of published events have before it. */
static void
fill_lane(const struct segment *segment, uint32_t number)
{
	struct lane lane = segment_lane_at(segment, number);

	lane.arena = ring + segment_arena_offset(segment->header, number);
	lane_init(&lane, segment->header->lane_slots, UINT32_MAX - 1, 0); /* positions wrap around */

	const size_t before =
	    segment_lane_books(segment, number) == BOOKS_MESSAGES ? sizeof(struct publish_outcome) : 0;

	for (uint32_t i = 0; i < PARCELS; i++) {
		size_t available;
		char *space = lane_reserve(&lane, &available);
		struct record *record = (struct record *)(void *)(space + before);

		assert(available > before + record_size(0));
		(void)record_begin(record);
		record->received_us = 1000000 + i;
		(void)lane_publish(&lane, before + record_seal(record), 1, i);
	}
}

static void
make_ring(void)
{
	struct segment_header h = {.lane_slots = 64, .master_pid = 1, .version = "0.0.0", .boot_id = "fuzz"};
	struct segment segment;

	memcpy(h.magic, SEGMENT_MAGIC, sizeof h.magic);
	for (int r = 0; r < ROLES; r++)
		h.counts[r] = 1;
	for (int g = 0; g < LANE_GROUPS; g++)
		h.arena_bytes[g] = PAGE;
	ring_bytes = h.file_bytes = segment_layout(&h).end;
	ring = mmap(NULL, ring_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(ring != MAP_FAILED);
	memcpy(ring, &h, sizeof h);
	segment_view(&segment, -1, ring, ring_bytes);
	for (uint32_t n = 0; n < segment_lane_count(&segment); n++)
		fill_lane(&segment, n);
	file = memfd_create("ring", MFD_CLOEXEC);
	assert(file >= 0);
}

static void
write_file(const uint8_t *data, size_t size)
{
	assert(ftruncate(file, 0) == 0 && pwrite(file, ring, ring_bytes, 0) == (ssize_t)ring_bytes);
	for (; size >= 8; data += 8, size -= 8) {
		uint32_t at;

		memcpy(&at, data, sizeof at);
		assert(pwrite(file, data + 4, 4, at % (ring_bytes - 4)) == 4);
	}
	if (size >= 4) {
		uint32_t length;

		memcpy(&length, data, sizeof length);
		assert(ftruncate(file, length % ring_bytes) == 0);
	}
}

static void
check_json(char *text, const struct segment *segment)
{
	cJSON *tree = cJSON_Parse(text);
	const cJSON *lanes = cJSON_GetObjectItem(tree, "lanes");

	assert(tree != NULL);
	assert(cJSON_GetArraySize(lanes) == (int)segment_lane_count(segment));
	for (const cJSON *lane = lanes->child; lane != NULL; lane = lane->next)
		assert(cJSON_IsBool(cJSON_GetObjectItem(lane, "whole")));
	cJSON_Delete(tree);
}

/* Returns what print() writes, and checks that none of it controls a terminal. Release it with free(). */
static char *
printed(void (*print)(FILE *out, const struct segment *segment, const char *name), const struct segment *segment)
{
	size_t length;
	char *text;
	FILE *out = open_memstream(&text, &length);

	assert(out != NULL);
	print(out, segment, "copy");
	assert(fclose(out) == 0);
	for (size_t i = 0; i < length; i++)
		assert(text[i] == '\n' || text[i] == '\t' || ((unsigned char)text[i] >= ' ' && text[i] != '\x7f'));
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segment segment;
	struct error err = {""};
	char *text;
	int fd;

	if (ring == NULL)
		make_ring();
	write_file(data, size);
	fd = dup(file);
	assert(fd >= 0);
	if (segment_image_read(&segment, fd, "copy", &err) != 0) {
		assert(err.text[0] != '\0');
		close(fd);
		return 0;
	}
	free(printed(ring_print_text, &segment));
	text = printed(ring_print_json, &segment);
	check_json(text, &segment);
	free(text);
	assert(size > 0 || ring_is_whole(&segment));
	segment_close(&segment);
	return 0;
}
