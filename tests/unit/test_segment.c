/* The segment file: made, adopted, refused, set aside; who may have it, and what happens when there is no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/record.h"
#include "shm/segment.h"
#include "tests/unit/lane_fixture.h"

#define SEED 7u

static char directory[] = "/tmp/hooks-test-segment-XXXXXX";
static char path[64];

static struct config
config_of(uint32_t acceptors, uint32_t writers, uint64_t ring_bytes)
{
	return (struct config){.acceptors = acceptors, .writers = writers, .ring_path = path, .ring_bytes = ring_bytes};
}

static struct segment
opened(const struct config *config)
{
	struct segment segment;
	struct error err = {""};

	if (segment_open(&segment, config, &err) != 0)
		fail_msg("segment_open: %s", err.text);
	return segment;
}

static struct lane mappings[64]; /* mapped and to be unmapped */
static size_t mapping_count;

/* As at the end of a process. The arenas too: a mapping keeps the open file, and with it the lock. */
static void
closed(struct segment *segment)
{
	while (mapping_count > 0) {
		mapping_count--;
		assert_int_equal(munmap(mappings[mapping_count].arena, 2 * mappings[mapping_count].arena_bytes), 0);
	}
	for (uint32_t i = 0; i < segment->acceptors + segment->writers; i++)
		close(segment->wake_fds[i]);
	close(segment->master_fd);
	segment_close(segment);
}

static struct lane
mapped(const struct segment *segment, uint32_t acceptor, uint32_t writer)
{
	struct lane lane;
	struct error err = {""};

	if (segment_map_lane(segment, acceptor, writer, &lane, &err) != 0)
		fail_msg("segment_map_lane: %s", err.text);
	assert_true(mapping_count < sizeof mappings / sizeof *mappings);
	mappings[mapping_count++] = lane;
	return lane;
}

/* A segment of two acceptors and one writer in which parcels 0..2 wait in the second lane, of three, and is closed. */
#define OLD_RING_BYTES (256u * 1024)

static uint64_t
leave_events(void)
{
	struct config config = config_of(2, 1, OLD_RING_BYTES);
	struct segment segment = opened(&config);
	struct lane lane = mapped(&segment, 1, 0);
	uint64_t events;

	lane_feed(&lane, SEED, 1, 0, 3);
	events = segment_events_waiting(&segment);
	assert_in_range(events, 3, 12);
	closed(&segment);
	return events;
}

static size_t
files_set_aside(char *first, size_t size)
{
	char pattern[96];
	glob_t found;
	size_t count;

	(void)snprintf(pattern, sizeof pattern, "%s.*", path);
	if (glob(pattern, 0, NULL, &found) != 0)
		return 0;
	count = found.gl_pathc;
	if (first != NULL)
		(void)snprintf(first, size, "%s", found.gl_pathv[0]);
	globfree(&found);
	return count;
}

static int
remove_files(void **state)
{
	char pattern[96];
	glob_t found;

	(void)snprintf(pattern, sizeof pattern, "%s/*", directory);
	if (glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			(void)unlink(found.gl_pathv[i]);
		globfree(&found);
	}
	return 0;
}

static void
write_file(const void *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

/* ---- what is made ---- */

static void
test_made_anew(void **state)
{
	struct config config = config_of(3, 2, 1024 * 1024);
	struct segment segment = opened(&config);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 1024 * 1024);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_in_range(st.st_blocks * 512, 1024 * 1024, UINT32_MAX); /* reserved, not sparse */
	assert_int_equal(segment.acceptors, 3);
	assert_int_equal(segment.writers, 2);
	assert_int_equal(segment.header->master_pid, getpid());
	assert_int_equal(segment_events_waiting(&segment), 0);
	closed(&segment);
}

static void
fill_error(struct process_slot *slot, int filling)
{
	memset(slot->store_error, filling, sizeof slot->store_error);
}

/* Nothing of one lane, slot or control block lies in another's. */
static void
test_nothing_overlaps(void **state)
{
	struct config config = config_of(5, 3, 1024 * 1024);
	struct segment segment = opened(&config);
	uint64_t arena_bytes = segment.header->arena_bytes;
	uint32_t slots = segment.header->lane_slots;

	for (uint32_t a = 0; a < 5; a++) {
		fill_error(segment_acceptor(&segment, a), 'A' + (int)a);
		for (uint32_t w = 0; w < 3; w++) {
			struct lane lane = mapped(&segment, a, w);

			memset(lane.arena, (int)(a * 3 + w), arena_bytes);
			for (uint32_t i = 0; i < slots; i++)
				lane.slots[i] = (struct lane_descriptor){.bytes = a, .events = w, .end = i};
			lane.control->ring.c_head = a * 3 + w;
		}
	}
	for (uint32_t w = 0; w < 3; w++)
		fill_error(segment_writer(&segment, w), 'a' + (int)w);
	for (uint32_t a = 0; a < 5; a++) {
		assert_int_equal(segment_acceptor(&segment, a)->store_error[0], 'A' + (int)a);
		assert_int_equal(
		    segment_acceptor(&segment, a)->store_error[sizeof segment_acceptor(&segment, a)->store_error - 1],
		    'A' + (int)a);
		for (uint32_t w = 0; w < 3; w++) {
			struct lane lane = mapped(&segment, a, w);

			for (uint64_t at = 0; at < 2 * arena_bytes; at++)
				if (lane.arena[at] != (char)(a * 3 + w))
					fail_msg("lane %u/%u differs at byte %llu", a, w, (unsigned long long)at);
			for (uint32_t i = 0; i < slots; i++)
				assert_true(
				    lane.slots[i].bytes == a && lane.slots[i].events == w && lane.slots[i].end == i);
			assert_int_equal(lane.control->ring.c_head, a * 3 + w);
			assert_int_equal(lane.control->ring.size, slots);
			assert_int_equal(lane.control->ring.mask, slots - 1);
		}
	}
	assert_memory_equal(segment.header->magic, SEGMENT_MAGIC, 8);
	assert_int_equal(segment.header->acceptors, 5);
	closed(&segment);
}

static void
test_counters_are_summed(void **state)
{
	struct config config = config_of(2, 1, OLD_RING_BYTES);
	struct segment segment = opened(&config);

	counter_add(segment_acceptor(&segment, 0), COUNTER_RECEIVED, 1ull << 40);
	counter_add(segment_acceptor(&segment, 1), COUNTER_RECEIVED, 2);
	counter_add(segment_acceptor(&segment, 1), COUNTER_RECEIVED, 3);
	counter_add(segment_writer(&segment, 0), COUNTER_STORED, 4);
	assert_true(segment_counter_sum(&segment, COUNTER_RECEIVED) == (1ull << 40) + 5);
	assert_int_equal(segment_counter_sum(&segment, COUNTER_STORED), 4);
	assert_int_equal(segment_counter_sum(&segment, COUNTER_DAMAGED), 0);
	closed(&segment);
}

static void
test_wake_ups_reach_their_process(void **state)
{
	struct config config = config_of(2, 2, OLD_RING_BYTES);
	struct segment segment = opened(&config);
	struct wake wakes[4] = {segment_wake_acceptor(&segment, 0), segment_wake_acceptor(&segment, 1),
	    segment_wake_writer(&segment, 0), segment_wake_writer(&segment, 1)};

	for (int woken = 0; woken < 4; woken++) {
		for (int i = 0; i < 4; i++)
			wake_arm(&wakes[i]);
		wake_up(&wakes[woken]);
		for (int i = 0; i < 4; i++) {
			struct pollfd fd = {.fd = wakes[i].fd, .events = POLLIN};

			assert_int_equal(poll(&fd, 1, 0), i == woken);
			wake_drain(&wakes[i]);
			wake_disarm(&wakes[i]);
		}
	}
	closed(&segment);
}

/* ---- what is adopted ---- */

static void
test_adopted_with_its_events(void **state)
{
	struct config config = config_of(2, 1, OLD_RING_BYTES);
	uint64_t events = leave_events();
	struct segment segment = opened(&config);
	struct lane lane = mapped(&segment, 1, 0);
	struct parcel parcel;

	assert_int_equal(segment_events_waiting(&segment), events);
	assert_int_equal(lane_depth(&lane), 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(lane_peek(&lane, i, &parcel));
		parcel_require(&parcel, SEED, i);
	}
	/* And it goes on. */
	lane_feed(&lane, SEED, 2, 3, 1);
	assert_true(lane_peek(&lane, 3, &parcel));
	parcel_require(&parcel, SEED, 3);
	lane_release(&lane, 4);
	assert_int_equal(segment_events_waiting(&segment), 0);
	closed(&segment);
	assert_int_equal(files_set_aside(NULL, 0), 0);
}

static void
test_adopted_when_empty_and_alike(void **state)
{
	struct config config = config_of(2, 1, OLD_RING_BYTES);
	struct segment segment = opened(&config);

	counter_add(segment_acceptor(&segment, 1), COUNTER_RECEIVED, 9);
	segment.header->draining = 1;
	segment_acceptor(&segment, 1)->pid = 12345;
	segment_acceptor(&segment, 1)->state = PROCESS_READY;
	closed(&segment);
	segment = opened(&config);
	assert_int_equal(segment_counter_sum(&segment, COUNTER_RECEIVED), 9);
	assert_int_equal(segment.header->draining, 0);
	assert_int_equal(segment_acceptor(&segment, 1)->pid, 0);
	assert_int_equal(segment_acceptor(&segment, 1)->state, PROCESS_DOWN);
	closed(&segment);
}

static void
test_keeps_its_shape_while_events_wait(void **state)
{
	static const struct {
		uint32_t acceptors, writers;
		uint64_t ring_bytes;
	} shapes[] = {
	    {1, 1, OLD_RING_BYTES}, {2, 2, OLD_RING_BYTES}, {2, 1, 2 * OLD_RING_BYTES}, {4, 3, 8 * OLD_RING_BYTES}};

	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		struct config config = config_of(shapes[i].acceptors, shapes[i].writers, shapes[i].ring_bytes);
		uint64_t events = leave_events();
		struct segment segment = opened(&config);
		struct lane lane = mapped(&segment, 1, 0);
		struct stat st;

		assert_int_equal(segment.acceptors, 2);
		assert_int_equal(segment.writers, 1);
		assert_int_equal(segment_events_waiting(&segment), events);
		lane_release(&lane, lane_released(&lane) + 3);
		closed(&segment);

		/* Empty now: the next start has the shape that it asks for. */
		segment = opened(&config);
		assert_int_equal(segment.acceptors, shapes[i].acceptors);
		assert_int_equal(segment.writers, shapes[i].writers);
		assert_int_equal(segment_events_waiting(&segment), 0);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, shapes[i].ring_bytes);
		closed(&segment);
		assert_int_equal(files_set_aside(NULL, 0), 0);
		assert_int_equal(unlink(path), 0);
	}
}

/* The sink's journal says that an append is not settled: the lanes it speaks of must stay. */
static void
test_keeps_its_shape_while_the_journal_is_open(void **state)
{
	struct config config = config_of(2, 1, OLD_RING_BYTES), other = config_of(1, 1, OLD_RING_BYTES);
	struct segment segment = opened(&config);

	segment.header->journal.state = JOURNAL_WRITING;
	closed(&segment);
	segment = opened(&other);
	assert_int_equal(segment.acceptors, 2);
	assert_int_equal(segment.header->journal.state, JOURNAL_WRITING);
	closed(&segment);
}

/* A master killed half-way through making it: nothing was in it, and nothing needs to be kept. */
static void
test_half_made_is_made_again(void **state)
{
	struct config config = config_of(2, 1, OLD_RING_BYTES);
	struct segment segment = opened(&config);

	memcpy(segment.header->magic, SEGMENT_UNFINISHED, sizeof segment.header->magic);
	closed(&segment);
	segment = opened(&config);
	assert_memory_equal(segment.header->magic, SEGMENT_MAGIC, 8);
	closed(&segment);
	assert_int_equal(files_set_aside(NULL, 0), 0);

	write_file("", 0);
	segment = opened(&config);
	closed(&segment);
	assert_int_equal(files_set_aside(NULL, 0), 0);
}

/* ---- what is set aside ---- */

static struct segment_header
header_on_file(void)
{
	struct segment_header header;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
	close(fd);
	return header;
}

static void
write_at(off_t offset, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, offset), len);
	close(fd);
}

static char *
contents(const char *file, size_t *len)
{
	struct stat st;
	char *bytes;
	int fd = open(file, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	close(fd);
	*len = (size_t)st.st_size;
	return bytes;
}

/* What stands at path must be renamed, byte for byte, and a new segment made in its place. */
static void
assert_set_aside(const char *what)
{
	struct config config = config_of(1, 1, OLD_RING_BYTES);
	size_t before_len, after_len;
	char *before = contents(path, &before_len), *after;
	char aside[128];
	struct segment segment;

	segment = opened(&config);
	if (files_set_aside(aside, sizeof aside) != 1)
		fail_msg("not set aside: %s", what);
	assert_int_equal(segment.acceptors, 1);
	assert_int_equal(segment_events_waiting(&segment), 0);
	closed(&segment);
	after = contents(aside, &after_len);
	assert_int_equal(before_len, after_len);
	assert_memory_equal(before, after, before_len);
	free(before);
	free(after);
	assert_int_equal(unlink(aside), 0);
	assert_int_equal(unlink(path), 0);
}

static void
test_foreign_files_are_set_aside(void **state)
{
	char *page = calloc(2, 4096);

	assert_non_null(page);
	write_file("not a ring\n", 11);
	assert_set_aside("a text");
	memset(page, 'x', 8192);
	write_file(page, 8192);
	assert_set_aside("something long");
	write_file("", 1);
	assert_set_aside("one byte");
	memset(page, 0, 8192);
	write_file(page, 8192);
	assert_set_aside("zeros");
	memcpy(page, "hooksrg0", 8);
	write_file(page, 8192);
	assert_set_aside("another layout");
	free(page);
}

static void
test_truncated_files_are_set_aside(void **state)
{
	static const off_t lengths[] = {OLD_RING_BYTES - 1, OLD_RING_BYTES / 2, 4096, sizeof(struct segment_header), 8};

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		(void)leave_events();
		assert_int_equal(truncate(path, lengths[i]), 0);
		assert_set_aside("a truncated file");
	}
	(void)leave_events();
	assert_int_equal(truncate(path, OLD_RING_BYTES + 4096), 0);
	assert_set_aside("a file that has grown");
}

#define DAMAGE(member, value)                                                                                          \
	do {                                                                                                           \
		(void)leave_events();                                                                                  \
		struct segment_header damaged = header_on_file();                                                      \
		damaged.member = (value);                                                                              \
		write_at(0, &damaged, sizeof damaged);                                                                 \
		assert_set_aside(#member " = " #value);                                                                \
	} while (0)

static void
test_damaged_headers_are_set_aside(void **state)
{
	DAMAGE(magic[0], 'H');
	DAMAGE(magic[7], '9');
	DAMAGE(acceptors, 0);
	DAMAGE(acceptors, 3);
	DAMAGE(acceptors, ACCEPTORS_MAX + 1);
	DAMAGE(acceptors, UINT32_MAX);
	DAMAGE(writers, 0);
	DAMAGE(writers, 2);
	DAMAGE(writers, WRITERS_MAX + 1);
	DAMAGE(lane_slots, 0);
	DAMAGE(lane_slots, 1);
	DAMAGE(lane_slots, damaged.lane_slots / 2);
	DAMAGE(lane_slots, damaged.lane_slots * 2);
	DAMAGE(lane_slots, damaged.lane_slots + 1);
	DAMAGE(lane_slots, 1u << 31);
	DAMAGE(file_bytes, OLD_RING_BYTES - 4096);
	DAMAGE(file_bytes, UINT64_MAX);
	DAMAGE(arena_bytes, 0);
	DAMAGE(arena_bytes, damaged.arena_bytes + 1);
	DAMAGE(arena_bytes, damaged.arena_bytes + 4096);
	DAMAGE(arena_bytes, 1ull << 63);
	DAMAGE(arena_bytes, UINT64_MAX / 4096 * 4096);
	DAMAGE(journal.state, JOURNAL_COMMITTED + 1);
	DAMAGE(journal.writer, 1);
	DAMAGE(journal.writer, UINT32_MAX);
}

/* A sparse file can be as long as it likes to be: the sum of its arenas must not wrap around to something small. */
static void
test_arenas_that_wrap_around_are_set_aside(void **state)
{
	struct config config = config_of(ACCEPTORS_MAX, WRITERS_MAX, 32 * 1024 * 1024);
	struct segment segment;
	char in_memory[64], pattern[80];
	glob_t found;

	/* Not every file system has files of 8 PiB, but that one. */
	(void)snprintf(in_memory, sizeof in_memory, "/dev/shm/hooks-test-segment-%d", (int)getpid());
	config.ring_path = in_memory;
	segment = opened(&config);

	struct lane lane = mapped(&segment, 0, 0);

	lane_feed(&lane, SEED, 1, 0, 1);
	segment.header->file_bytes = segment.header->arena_bytes = UINT64_MAX / (ACCEPTORS_MAX * WRITERS_MAX) + 1;
	assert_int_equal(truncate(in_memory, (off_t)segment.header->file_bytes), 0);
	closed(&segment);
	config.acceptors = 1;
	config.writers = 1;
	config.ring_bytes = OLD_RING_BYTES;
	segment = opened(&config);
	closed(&segment);

	(void)snprintf(pattern, sizeof pattern, "%s*", in_memory);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		(void)unlink(found.gl_pathv[i]);
	assert_int_equal(found.gl_pathc, 2);
	assert_int_equal(segment.acceptors, 1);
	globfree(&found);
}

/* Lanes that contradict themselves: adopting them would crash a writer, again and again. */
static void
test_damaged_lanes_are_set_aside(void **state)
{
	for (int which = 0; which < 5; which++) {
		(void)leave_events();

		struct config config = config_of(2, 1, OLD_RING_BYTES);
		struct segment segment = opened(&config);
		struct lane lane = segment_lane(&segment, 1, 0);

		switch (which) {
		case 0:
			lane.control->ring.mask = UINT32_MAX;
			break;
		case 1:
			lane.control->ring.c_head = lane.control->ring.p_tail + 1;
			break;
		case 2:
			lane.slots[1].bytes = UINT32_MAX - 7;
			break;
		case 3:
			lane.slots[0].events = 0;
			break;
		default:
			lane.slots[2].end += 1ull << 40;
			break;
		}
		closed(&segment);
		assert_set_aside("a damaged lane");
	}
}

/* The release that a committed append is waiting for must be one that its lane can make. */
static void
test_damaged_journal_is_set_aside(void **state)
{
	(void)leave_events();

	struct segment_header header = header_on_file();

	header.journal.state = JOURNAL_COMMITTED;
	header.journal.release[0] = 0;
	header.journal.release[1] = 3;
	write_at(0, &header, sizeof header);

	struct config config = config_of(2, 1, OLD_RING_BYTES);
	struct segment segment = opened(&config);

	assert_int_equal(segment.header->journal.state, JOURNAL_COMMITTED);
	assert_int_equal(files_set_aside(NULL, 0), 0);
	segment.header->journal.release[1] = 4; /* only three parcels wait */
	closed(&segment);
	assert_set_aside("a journal that releases too much");
}

/* ---- who may have it ---- */

static void
write_pid(int fd)
{
	pid_t pid = getpid();

	REQUIRE(write(fd, &pid, sizeof pid) == (ssize_t)sizeof pid);
}

static void
assert_refused(int pid)
{
	struct config config = config_of(1, 1, OLD_RING_BYTES);
	struct segment segment;
	struct error err = {""};
	char expected[32];

	(void)snprintf(expected, sizeof expected, "(master pid %d)", pid);
	assert_int_equal(segment_open(&segment, &config, &err), -1);
	assert_non_null(strstr(err.text, expected));
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "RING_PATH"));
}

static void
test_second_master_is_refused(void **state)
{
	struct config config = config_of(1, 1, OLD_RING_BYTES);
	int tell[2], status;
	pid_t first;
	struct segment segment;

	assert_int_equal(pipe(tell), 0);
	first = fork();
	assert_true(first >= 0);
	if (first == 0) {
		struct error err;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		REQUIRE(segment_open(&segment, &config, &err) == 0);
		write_pid(tell[1]);
		for (;;)
			(void)pause();
	}

	pid_t told;

	assert_int_equal(read(tell[0], &told, sizeof told), sizeof told);
	assert_int_equal(told, first);
	assert_refused(first);
	assert_int_equal(kill(first, SIGKILL), 0);
	assert_int_equal(waitpid(first, &status, 0), first);
	segment = opened(&config);
	closed(&segment);
	close(tell[0]);
	close(tell[1]);
}

/* The master closes its descriptor, its child goes on: nobody else may have the ring as long as the child lives. */
static void
test_child_keeps_the_lock(void **state)
{
	struct config config = config_of(1, 1, OLD_RING_BYTES);
	struct segment segment = opened(&config);
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	closed(&segment);
	assert_refused(getpid());
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	segment = opened(&config);
	closed(&segment);
}

/* The master is gone and a child of it is still dying: the next master waits for it. */
static void
test_waits_for_a_dead_masters_children(void **state)
{
	struct config config = config_of(1, 1, OLD_RING_BYTES);
	int tell[2], hold[2], status;
	pid_t master, orphan, opener;
	struct segment segment;

	assert_int_equal(pipe(tell), 0);
	assert_int_equal(pipe(hold), 0);
	master = fork();
	assert_true(master >= 0);
	if (master == 0) {
		struct error err;

		REQUIRE(segment_open(&segment, &config, &err) == 0);
		orphan = fork();
		REQUIRE(orphan >= 0);
		if (orphan == 0) {
			char byte;

			close(hold[1]);
			write_pid(tell[1]);
			(void)!read(hold[0], &byte, 1); /* until the test lets go, or dies */
		}
		_exit(0);
	}
	close(hold[0]);
	assert_int_equal(read(tell[0], &orphan, sizeof orphan), sizeof orphan);
	assert_int_equal(waitpid(master, &status, 0), master);

	opener = fork();
	assert_true(opener >= 0);
	if (opener == 0) {
		struct error err;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(hold[1]);
		write_pid(tell[1]);
		_exit(segment_open(&segment, &config, &err) == 0 ? 0 : 1);
	}
	assert_int_equal(read(tell[0], &opener, sizeof opener), sizeof opener);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(waitpid(opener, &status, WNOHANG), 0); /* neither given up nor through */
		(void)poll(NULL, 0, 2);
	}
	close(hold[1]);
	assert_int_equal(waitpid(opener, &status, 0), opener);
	assert_int_equal(status, 0);
	close(tell[0]);
	close(tell[1]);
}

static void
test_symbolic_links_are_not_followed(void **state)
{
	struct config config = config_of(1, 1, OLD_RING_BYTES);
	struct segment segment;
	struct error err;
	char target[80];

	(void)snprintf(target, sizeof target, "%s/target", directory);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(segment_open(&segment, &config, &err), -1);
	assert_non_null(strstr(err.text, "RING_PATH"));
	assert_int_not_equal(access(target, F_OK), 0);
}

static void
test_no_such_directory(void **state)
{
	struct config config = config_of(1, 1, OLD_RING_BYTES);
	struct segment segment;
	struct error err;
	char nowhere[] = "/nowhere/at/all";

	config.ring_path = nowhere;
	assert_int_equal(segment_open(&segment, &config, &err), -1);
	assert_non_null(strstr(err.text, nowhere));
	assert_non_null(strstr(err.text, "RING_PATH"));
}

/* ---- no room ---- */

/* The sentence names the option, the lanes, and a size that is enough. */
static void
test_too_small(void **state)
{
	static const uint32_t shapes[][2] = {{1, 1}, {4, 2}, {64, 32}};

	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		struct config config = config_of(shapes[i][0], shapes[i][1], 4096);
		struct segment segment;
		struct error err;
		unsigned long long given, lanes, enough;

		assert_int_equal(segment_open(&segment, &config, &err), -1);
		assert_int_equal(
		    sscanf(err.text,
			"RING_BYTES=%llu is too small for %llu lanes (ACCEPTORS * WRITERS): allow at least %llu",
			&given, &lanes, &enough),
		    3);
		assert_int_equal(given, 4096);
		assert_int_equal(lanes, shapes[i][0] * shapes[i][1]);
		assert_int_not_equal(access(path, F_OK), 0); /* refused before anything is made */
		config.ring_bytes = enough;
		segment = opened(&config);
		closed(&segment);
		assert_int_equal(unlink(path), 0);
	}
}

/* Every size from the smallest allowed on gives lanes that work. */
static void
test_odd_sizes(void **state)
{
	for (uint64_t bytes = 24 * 1024; bytes < 2000000; bytes = bytes * 17 / 10 + 1) {
		struct config config = config_of(2, 1, bytes);
		struct segment segment;
		struct error err;

		if (segment_open(&segment, &config, &err) != 0)
			continue;

		struct lane lane = mapped(&segment, 1, 0);
		size_t available;
		char *out = lane_reserve(&lane, &available);

		assert_in_range(available, 8192, bytes / 2);
		memset(out, 'x', available);
		(void)lane_publish(&lane, available, 1);
		closed(&segment);
		segment = opened(&config);
		assert_int_equal(segment_events_waiting(&segment), 1);
		closed(&segment);
		assert_int_equal(unlink(path), 0);
	}
}

/* A file system of 1 MiB that nobody but the calling process sees. */
static bool
mount_small(const char *where)
{
	return (unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", where, "tmpfs", 0, "size=1m") == 0;
}

enum { FITS = 0, CANNOT_MOUNT = 77 };

static void
test_full_file_system(void **state)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		struct config config = config_of(1, 1, 4 * 1024 * 1024);
		struct segment segment;
		struct error err;
		struct stat st;

		if (!mount_small(directory))
			_exit(CANNOT_MOUNT);
		REQUIRE(segment_open(&segment, &config, &err) == -1);
		REQUIRE(strstr(err.text, "cannot reserve 4194304 bytes") != NULL);
		REQUIRE(strstr(err.text, path) != NULL && strstr(err.text, "RING_BYTES") != NULL);
		REQUIRE(strstr(err.text, strerror(ENOSPC)) != NULL);
		REQUIRE(stat(path, &st) != 0 || st.st_blocks == 0); /* gives back what it took */
		config.ring_bytes = 512 * 1024;
		REQUIRE(segment_open(&segment, &config, &err) == 0);
		_exit(FITS);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_MOUNT)
		skip();
	assert_int_equal(status, FITS);
}

/* ---- looking only ---- */

static void
test_read_only(void **state)
{
	uint64_t events = leave_events();
	struct config config = config_of(2, 1, OLD_RING_BYTES);
	struct segment owner = opened(&config), onlooker;
	struct error err = {""};

	counter_add(segment_acceptor(&owner, 0), COUNTER_RECEIVED, 17);
	/* While a master has it, whose lock does not matter here. */
	if (segment_open_readonly(&onlooker, path, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(onlooker.acceptors, 2);
	assert_int_equal(onlooker.writers, 1);
	assert_int_equal(onlooker.header->master_pid, getpid());
	assert_int_equal(segment_events_waiting(&onlooker), events);
	assert_int_equal(segment_counter_sum(&onlooker, COUNTER_RECEIVED), 17);

	struct lane lane = segment_lane(&onlooker, 1, 0);

	assert_int_equal(lane_depth(&lane), 3);
	assert_in_range(lane_bytes_used(&lane), 3 * sizeof(struct record), OLD_RING_BYTES);

	/* It looks at the same memory. */
	counter_add(segment_acceptor(&owner, 0), COUNTER_RECEIVED, 1);
	assert_int_equal(segment_counter_sum(&onlooker, COUNTER_RECEIVED), 18);
	segment_close(&onlooker);
	closed(&owner);
}

static void
assert_not_readable(const char *text)
{
	struct segment segment;
	struct error err = {""};

	assert_int_equal(segment_open_readonly(&segment, path, &err), -1);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, text));
}

static void
test_read_only_refuses(void **state)
{
	assert_not_readable("is hooksd running");
	write_file("hello", 5);
	assert_not_readable("is not a ring file");
	(void)unlink(path);
	(void)leave_events();
	assert_int_equal(truncate(path, OLD_RING_BYTES / 2), 0);
	assert_not_readable("is not a ring file");
	(void)unlink(path);
	(void)leave_events();

	/* A mask that leads out of the mapping. */
	struct config config = config_of(2, 1, OLD_RING_BYTES);
	struct segment segment = opened(&config);
	struct lane lane = segment_lane(&segment, 1, 0);

	lane.control->ring.mask = UINT32_MAX;
	closed(&segment);
	assert_not_readable("is damaged");
}

static void
test_unlink(void **state)
{
	(void)leave_events();
	segment_unlink(path);
	assert_int_not_equal(access(path, F_OK), 0);
	segment_unlink(path); /* gone already: nothing to say */
}

#define CLEAN(test) cmocka_unit_test_setup_teardown(test, remove_files, remove_files)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CLEAN(test_made_anew),
	    CLEAN(test_nothing_overlaps),
	    CLEAN(test_counters_are_summed),
	    CLEAN(test_wake_ups_reach_their_process),
	    CLEAN(test_adopted_with_its_events),
	    CLEAN(test_adopted_when_empty_and_alike),
	    CLEAN(test_keeps_its_shape_while_events_wait),
	    CLEAN(test_keeps_its_shape_while_the_journal_is_open),
	    CLEAN(test_half_made_is_made_again),
	    CLEAN(test_foreign_files_are_set_aside),
	    CLEAN(test_truncated_files_are_set_aside),
	    CLEAN(test_damaged_headers_are_set_aside),
	    CLEAN(test_arenas_that_wrap_around_are_set_aside),
	    CLEAN(test_damaged_lanes_are_set_aside),
	    CLEAN(test_damaged_journal_is_set_aside),
	    CLEAN(test_second_master_is_refused),
	    CLEAN(test_child_keeps_the_lock),
	    CLEAN(test_waits_for_a_dead_masters_children),
	    CLEAN(test_symbolic_links_are_not_followed),
	    CLEAN(test_no_such_directory),
	    CLEAN(test_too_small),
	    CLEAN(test_odd_sizes),
	    CLEAN(test_full_file_system),
	    CLEAN(test_read_only),
	    CLEAN(test_read_only_refuses),
	    CLEAN(test_unlink),
	};
	int failed;

	if (mkdtemp(directory) == NULL)
		return 1;
	(void)snprintf(path, sizeof path, "%s/ring", directory);
	failed = cmocka_run_group_tests_name("segment", tests, NULL, NULL);
	(void)rmdir(directory);
	return failed;
}
