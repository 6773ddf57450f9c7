/* Lanes and parcels for tests; see the header. */
#include "tests/unit/lane_fixture.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "event/record.h"

_Noreturn void
require_failed(const char *condition, const char *file, int line)
{
	(void)fprintf(stderr, "%s:%d: pid %d: not true: %s\n", file, line, (int)getpid(), condition);
	abort();
}

uint64_t
dice_roll(struct dice *dice)
{
	/* splitmix64 */
	uint64_t z = dice->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint32_t
dice_below(struct dice *dice, uint32_t bound)
{
	return (uint32_t)(dice_roll(dice) % bound);
}

uint64_t
seed_for(const char *test)
{
	const char *given = getenv("TEST_SEED");
	uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)clock_wall_us() ^ (uint64_t)getpid() << 40;

	(void)printf("%s: TEST_SEED=0x%llx\n", test, (unsigned long long)seed);
	(void)fflush(stdout);
	return seed;
}

struct lane
lane_over_memory(uint32_t slot_count, uint64_t arena_bytes, uint32_t first_position, uint64_t first_byte)
{
	struct lane lane = {.arena_bytes = arena_bytes};
	int fd = memfd_create("arena", MFD_CLOEXEC);
	char *controls, *base;

	REQUIRE(fd >= 0 && ftruncate(fd, (off_t)arena_bytes) == 0);
	controls = mmap(NULL, sizeof *lane.control + slot_count * sizeof *lane.slots, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* No access to the page after the second copy: a read or write past the arena ends the test. */
	base = mmap(NULL, 2 * arena_bytes + 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(controls != MAP_FAILED && base != MAP_FAILED);
	for (uint64_t copy = 0; copy < 2; copy++)
		REQUIRE(mmap(base + copy * arena_bytes, arena_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			    0) != MAP_FAILED);
	close(fd);
	lane.control = (struct lane_control *)(void *)controls;
	lane.slots = (struct lane_descriptor *)(void *)(controls + sizeof *lane.control);
	lane.arena = base;
	lane_init(&lane, slot_count, first_position, first_byte);
	return lane;
}

/* The contents of a record's event_id in these tests. */
struct proof {
	uint32_t number, author, index, of;
};

_Static_assert(sizeof(struct proof) == sizeof(((struct record *)0)->event_id), "a proof takes an id's place");

/* Most records are small, a few are large. Strings are null, short or long. */
static void
fill_record(struct record *r, struct dice *dice)
{
	char *at = record_begin(r);
	size_t bytes = 0;
	uint64_t word = 0;

	r->flags = (uint8_t)dice_below(dice, 2);
	r->timestamp_us = (int64_t)dice_roll(dice);
	r->received_us = (int64_t)dice_roll(dice);
	for (int i = 0; i < RECORD_STRINGS; i++) {
		r->string_bytes[i] = dice_below(dice, 3) == 0 ? RECORD_NULL : (uint16_t)dice_below(dice, 14);
		bytes += r->string_bytes[i] == RECORD_NULL ? 0 : r->string_bytes[i];
	}
	r->data_bytes = dice_below(dice, dice_below(dice, 8) == 0 ? 600 : 48);
	bytes += r->data_bytes;
	for (size_t i = 0; i < bytes; i++) {
		if (i % 8 == 0)
			word = dice_roll(dice);
		at[i] = (char)(word >> i % 8 * 8);
	}
}

size_t
parcel_build(char *out, size_t capacity, uint64_t seed, uint32_t number, uint32_t author, uint32_t *events)
{
	struct dice dice = {seed ^ (uint64_t)number << 32 ^ author};
	_Alignas(8) char room[1024];
	size_t used = 0;

	dice.state = dice_roll(&dice);
	*events = 1 + dice_below(&dice, 4);
	for (uint32_t i = 0; i < *events; i++) {
		struct record *r = (struct record *)(void *)room;
		struct proof proof = {number, author, i, *events};
		size_t length;

		memcpy(r->event_id, &proof, sizeof proof);
		fill_record(r, &dice);
		length = record_seal(r);
		REQUIRE(length <= sizeof room);
		if (length > capacity - used)
			return 0;
		memcpy(out + used, room, length);
		used += length;
	}
	REQUIRE(used <= PARCEL_BYTES_MAX);
	return used;
}

void
parcel_require(const struct parcel *parcel, uint64_t seed, uint32_t number)
{
	_Alignas(8) char expected[PARCEL_BYTES_MAX];
	struct proof first = {0};
	uint32_t events = 0;

	for (size_t at = 0; at < parcel->length; events++) {
		const struct record *r = (const struct record *)(const void *)(parcel->bytes + at);
		struct proof proof;

		REQUIRE(record_check(r, parcel->length - at));
		memcpy(&proof, r->event_id, sizeof proof);
		if (events == 0)
			first = proof;
		REQUIRE(proof.number == number && proof.author == first.author);
		REQUIRE(proof.index == events && proof.of == parcel->events);
		at += r->length;
	}
	REQUIRE(events > 0 && events == parcel->events);
	REQUIRE(parcel_build(expected, sizeof expected, seed, number, first.author, &events) == parcel->length);
	REQUIRE(events == parcel->events && memcmp(expected, parcel->bytes, parcel->length) == 0);
}

void
lane_feed(const struct lane *lane, uint64_t seed, uint32_t author, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		size_t available, bytes = 0;
		uint32_t events;

		for (;;) {
			char *out = lane_reserve(lane, &available);

			if (out != NULL)
				bytes = parcel_build(out, available, seed, first + i, author, &events);
			if (bytes > 0)
				break;
			(void)sched_yield();
		}
		REQUIRE(lane_publish(lane, bytes, events, 0) == first + i + 1);
	}
}

uint64_t
lane_eat(const struct lane *lane, uint64_t seed, uint32_t first, uint32_t count)
{
	struct dice dice = {seed + 1};
	uint32_t seen = first, end = first + count;
	uint64_t records = 0;

	while (lane_released(lane) != end) {
		uint32_t start = lane_released(lane), at = start;
		uint32_t batch = 1 + dice_below(&dice, 16);
		struct parcel parcel;

		for (; at - start < batch && lane_peek(lane, at, &parcel); at++) {
			parcel_require(&parcel, seed, at);
			if (at == seen) {
				records += parcel.events;
				seen++;
			}
		}
		if (at == start)
			(void)sched_yield();
		else
			lane_release(lane, at - dice_below(&dice, at - start));
	}
	return records;
}
