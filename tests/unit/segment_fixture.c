/* Segments for tests; see the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <glob.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/lane_fixture.h"
#include "tests/unit/segment_fixture.h"

char ring_directory[] = "/tmp/hooks-test-segment-XXXXXX";
char ring_path[64];

int
ring_make_directory(void **state)
{
	if (mkdtemp(ring_directory) == NULL)
		return -1;
	(void)snprintf(ring_path, sizeof ring_path, "%s/ring", ring_directory);
	return 0;
}

int
ring_remove_directory(void **state)
{
	return rmdir(ring_directory);
}

struct config
ring_config(uint32_t acceptors, uint32_t writers, uint64_t ring_bytes)
{
	static char jsonl_path[] = "events.jsonl";

	return (struct config){.storage = STORAGE_JSONL,
	    .hl_store = HL_STORE_OFF,
	    .acceptors = acceptors,
	    .writers = writers,
	    .ring_path = ring_path,
	    .jsonl_path = jsonl_path,
	    .ring_bytes = ring_bytes};
}

struct segment
ring_open(const struct config *config)
{
	struct segment segment;
	struct error err = {""};

	if (segment_open(&segment, config, &err) != 0)
		fail_msg("segment_open: %s", err.text);
	return segment;
}

static struct lane mappings[64]; /* ring_close() unmaps them */
static size_t mapping_count;

void
ring_close(struct segment *segment)
{
	while (mapping_count > 0) {
		mapping_count--;
		assert_int_equal(munmap(mappings[mapping_count].arena, 2 * mappings[mapping_count].arena_bytes), 0);
	}
	for (uint32_t i = 0; i < segment_slot_count(segment); i++)
		close(segment->wake_fds[i]);
	close(segment->master_fd);
	segment_close(segment);
}

struct lane
ring_map(const struct segment *segment, uint32_t acceptor, uint32_t writer)
{
	struct lane lane = segment_lane(segment, LANES_EVENTS, acceptor, writer);
	struct error err = {""};

	if (segment_map_arena(segment, &lane, &err) != 0)
		fail_msg("segment_map_arena: %s", err.text);
	assert_true(mapping_count < sizeof mappings / sizeof *mappings);
	mappings[mapping_count++] = lane;
	return lane;
}

uint64_t
ring_leave_events(void)
{
	struct config config = ring_config(2, 1, RING_OLD_BYTES);
	struct segment segment = ring_open(&config);
	struct lane lane = ring_map(&segment, 1, 0);
	uint64_t events;

	lane_feed(&lane, RING_SEED, 1, 0, 3);
	events = segment_waiting(&segment, BOOKS_EVENTS);
	assert_in_range(events, 3, 12);
	ring_close(&segment);
	return events;
}

size_t
ring_files_set_aside(char *first, size_t size)
{
	char pattern[96];
	glob_t found;
	size_t count;

	(void)snprintf(pattern, sizeof pattern, "%s.*", ring_path);
	if (glob(pattern, 0, NULL, &found) != 0)
		return 0;
	count = found.gl_pathc;
	if (first != NULL)
		(void)snprintf(first, size, "%s", found.gl_pathv[0]);
	globfree(&found);
	return count;
}

int
ring_remove(void **state)
{
	char pattern[96];
	glob_t found;

	(void)snprintf(pattern, sizeof pattern, "%s/*", ring_directory);
	if (glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			(void)unlink(found.gl_pathv[i]);
		globfree(&found);
	}
	return 0;
}

void
ring_write_file(const void *bytes, size_t len)
{
	FILE *file = fopen(ring_path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

struct segment_header
ring_header(void)
{
	struct segment_header header;
	int fd = open(ring_path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
	close(fd);
	return header;
}
