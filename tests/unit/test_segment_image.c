/* Copies of a segment: whole ones are read, and others are refused with the reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "event/record.h"
#include "shm/segment_image.h"
#include "tests/unit/lane_fixture.h"
#include "tests/unit/segment_fixture.h"

/* Reads the file at ring_path, which must be a segment. */
static struct segment
read_image(void)
{
	struct segment segment;
	struct error err = {""};
	int fd = open(ring_path, O_RDONLY);

	assert_true(fd >= 0);
	if (segment_image_read(&segment, fd, ring_path, &err) != 0)
		fail_msg("segment_image_read: %s", err.text);
	return segment;
}

/* The file at ring_path must be refused with an error that contains those words. */
static void
assert_refused(const char *words)
{
	struct segment segment;
	struct error err = {""};
	int fd = open(ring_path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(segment_image_read(&segment, fd, ring_path, &err), -1);
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' does not have '%s'", err.text, words);
	assert_non_null(strstr(err.text, ring_path));
	close(fd);
}

/* Overwrites those bytes of the file at ring_path. */
static void
overwrite(uint64_t at, const void *bytes, size_t len)
{
	int fd = open(ring_path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, (off_t)at), len);
	close(fd);
}

static void
test_a_copy_shows_the_waiting_events(void **state)
{
	uint64_t events = ring_leave_events();
	struct segment image = read_image();
	struct lane lane = segment_lane(&image, LANES_EVENTS, 1, 0);

	assert_int_equal(segment_waiting(&image, BOOKS_EVENTS), events);
	assert_int_equal(lane_depth(&lane), 3);
	assert_true(lane_valid(&lane, image.header->lane_slots));
	assert_null(image.keys);
	segment_close(&image);
}

static void
test_a_copy_shows_when_a_record_was_received(void **state)
{
	struct config config = ring_config(1, 1, RING_OLD_BYTES);
	struct segment segment = ring_open(&config), image;
	struct lane lane = ring_map(&segment, 0, 0);
	size_t available;
	struct record *record = (struct record *)(void *)lane_reserve(&lane, &available);
	int64_t us = 0;

	memset(record, 0, record_size(0));
	(void)record_begin(record);
	record->received_us = 1234567;
	lane_publish(&lane, record_seal(record), 1, 0);
	ring_close(&segment);
	image = read_image();
	assert_true(segment_image_received_us(&image, 0, 0, &us));
	assert_int_equal(us, 1234567);
	assert_false(segment_image_received_us(&image, 0, 4096, &us)); /* no record begins there */
	assert_false(segment_image_received_us(&image, 0, UINT64_MAX, &us)); /* across the end of the arena */
	segment_close(&image);
}

static void
test_a_file_that_is_no_ring_is_refused_with_the_reason(void **state)
{
	const uint64_t wrong = 1;

	ring_write_file("x", 1);
	assert_refused("shorter than a ring's header");
	ring_leave_events();
	overwrite(offsetof(struct segment_header, file_bytes), &wrong, sizeof wrong);
	assert_refused("cut short or damaged");
	ring_remove(state);
	ring_leave_events();
	assert_int_equal(truncate(ring_path, 100000), 0);
	assert_refused("cut short");
	ring_remove(state);
	ring_leave_events();
	overwrite(offsetof(struct segment_header, counts), &wrong, sizeof(uint32_t));
	overwrite(offsetof(struct segment_header, lane_slots), &wrong, sizeof(uint32_t));
	assert_refused("contradict each other");
	overwrite(0, "hooksr?d", 8);
	assert_refused("about to make");
	overwrite(0, "hooksr\033!", 8);
	assert_refused("another version of hooksd: it begins with 'hooksr.!'");
	overwrite(0, "GIF89a", 6);
	assert_refused("is no ring of hooksd");
}

static void
test_a_lane_of_another_shape_is_read_within_its_bounds(void **state)
{
	const uint32_t everything = UINT32_MAX;
	uint64_t controls;
	struct segment image;
	struct lane lane;

	ring_leave_events();
	image = read_image();
	controls = segment_layout(image.header).controls;
	segment_close(&image);
	for (uint64_t at = 0; at < sizeof(ck_ring_t); at += sizeof everything)
		overwrite(controls + sizeof(struct lane_control) + at, &everything, sizeof everything);
	image = read_image();
	lane = segment_lane(&image, LANES_EVENTS, 1, 0);
	assert_false(lane_valid(&lane, image.header->lane_slots));
	assert_true(lane_shape_valid(&lane, image.header->lane_slots));
	(void)segment_waiting(&image, BOOKS_EVENTS);
	(void)lane_bytes_used(&lane);
	lane = segment_lane(&image, LANES_EVENTS, 0, 0);
	assert_true(lane_valid(&lane, image.header->lane_slots));
	segment_close(&image);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING_TEST(test_a_copy_shows_the_waiting_events),
	    RING_TEST(test_a_copy_shows_when_a_record_was_received),
	    RING_TEST(test_a_file_that_is_no_ring_is_refused_with_the_reason),
	    RING_TEST(test_a_lane_of_another_shape_is_read_within_its_bounds),
	};

	return cmocka_run_group_tests_name("segment_image", tests, ring_make_directory, ring_remove_directory);
}
