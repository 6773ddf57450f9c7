/*
 * Producers and consumers that are killed at any instant. First at random: hundreds of SIGKILLs hit a running pair, and
 * each victim has a successor that knows the segment alone. Then everywhere: after each single instruction, shared
 * memory must hold a lane with which successors can go on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <ck_pr.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/segment_file.h"
#include "shm/segment_open.h"
#include "tests/unit/lane_fixture.h"
#include "tests/unit/single_step.h"

#define FIRST (UINT32_MAX - 2000) /* wraps early in the run */

static uint64_t seed;

/*
 * What the test remembers across deaths, to compare it with the lane. Consumers do not use it: they start at
 * lane_released() and record their progress with lane_release().
 */
struct tally {
	uint32_t seen; /* every position below it has been read, in order */
	uint32_t read_again; /* parcels that a dead reader had read and not released */
	uint32_t stop; /* 1: the consumer leaves when the lane is empty */
};

struct scene {
	struct segment segment;
	struct tally *tally;
};

static struct lane
map_lane(const struct scene *scene)
{
	struct lane lane = segment_lane(&scene->segment, LANES_EVENTS, 0, 0);
	struct error err;

	REQUIRE(segment_map_arena(&scene->segment, &lane, &err) == 0);
	return lane;
}

/* Publishes until it is killed. Positions number the parcels, so that the lane itself says which one is next. */
static void
run_producer(const struct scene *scene, uint32_t author)
{
	struct lane lane = map_lane(scene);

	for (;;)
		lane_feed(&lane, seed, author, lane.control->ring.p_tail, 1);
}

/* Reads on and on, and releases a random part now and then. At any time some parcels are read and not released. */
static void
run_consumer(const struct scene *scene, uint32_t author)
{
	struct lane lane = map_lane(scene);
	struct tally *tally = scene->tally;
	struct dice dice = {seed ^ author};
	uint32_t at = lane_released(&lane);

	/* No parcel was released that was not read, or read that was not published. */
	REQUIRE(tally->seen - at <= lane_depth(&lane));
	for (;;) {
		bool stop = ck_pr_load_32(&tally->stop) != 0;
		uint32_t held = at - lane_released(&lane);
		struct parcel parcel;

		if (lane_peek(&lane, at, &parcel)) {
			parcel_require(&parcel, seed, at);
			if (tally->seen == at)
				tally->seen = at + 1;
			else
				tally->read_again++;
			at++;
		} else if (held > 0) {
			lane_release(&lane, at - dice_below(&dice, held));
		} else if (stop) {
			return;
		} else {
			(void)sched_yield();
		}
		if (dice_below(&dice, 8) == 0)
			lane_release(&lane, at - dice_below(&dice, at - lane_released(&lane) + 1));
	}
}

static pid_t
spawn(const struct scene *scene, void (*run)(const struct scene *, uint32_t), uint32_t author)
{
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(scene, author);
		_exit(0);
	}
	return pid;
}

/* SIGKILL must be the cause of death: the process itself has found no fault. */
static void
kill_and_reap(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void
play_scene(struct dice *dice, uint64_t ring_bytes, uint32_t kills)
{
	char path[] = "/dev/shm/hooks-test-crash-XXXXXX";
	struct config config = {.hl_store = HL_STORE_OFF,
	    .acceptors = 1,
	    .writers = 1,
	    .ring_path = path,
	    .ring_bytes = ring_bytes,
	    .jsonl_path = path};
	struct scene scene;
	struct error err;
	int fd = mkstemp(path);
	pid_t producer, consumer;

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(segment_open(&scene.segment, &config, &err), 0);
	segment_unlink(&scene.segment, path); /* the mapping lasts as long as this program */
	scene.tally = mmap(NULL, sizeof *scene.tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(scene.tally, MAP_FAILED);
	scene.tally->seen = FIRST;

	struct lane lane = segment_lane(&scene.segment, LANES_EVENTS, 0, 0);

	lane_init(&lane, scene.segment.header->lane_slots, FIRST, 0);
	producer = spawn(&scene, run_producer, 0);
	consumer = spawn(&scene, run_consumer, 0);
	for (uint32_t i = 1; i <= kills; i++) {
		uint32_t who = 1 + dice_below(dice, 3);

		(void)nanosleep(&(struct timespec){.tv_nsec = dice_below(dice, 3000000)}, NULL);
		/* Both may be dead at the same time, and the lane is idle. */
		if ((who & 1) != 0)
			kill_and_reap(producer);
		if ((who & 2) != 0)
			kill_and_reap(consumer);
		if (who == 3)
			assert_true(lane_valid(&lane, scene.segment.header->lane_slots));
		if ((who & 1) != 0)
			producer = spawn(&scene, run_producer, i);
		if ((who & 2) != 0)
			consumer = spawn(&scene, run_consumer, i);
	}
	kill_and_reap(producer);
	ck_pr_store_32(&scene.tally->stop, 1);

	int status;

	assert_int_equal(waitpid(consumer, &status, 0), consumer);
	assert_int_equal(status, 0);
	assert_int_equal(lane_depth(&lane), 0);
	assert_int_equal(scene.tally->seen, lane_released(&lane));
	(void)printf("%u parcels, %u read again after a kill, %u kills, %llu bytes of ring\n",
	    scene.tally->seen - FIRST, scene.tally->read_again, kills, (unsigned long long)ring_bytes);
	assert_true(scene.tally->seen - FIRST > kills);
	assert_true(munmap(scene.tally, sizeof *scene.tally) == 0);
	segment_close(&scene.segment);
}

static void
test_no_parcel_is_lost_when_processes_are_killed_at_random(void **state)
{
	struct dice dice = {seed};

	play_scene(&dice, 96 * 1024, 120);
	play_scene(&dice, 512 * 1024, 60);
}

/* A lane small enough to be copied between any two instructions. */
#define SMALL_SLOTS 4u
#define SMALL_ARENA 12288u

/* All that a successor knows. */
struct image {
	struct lane_control control;
	struct lane_descriptor slots[SMALL_SLOTS];
	char arena[SMALL_ARENA];
};

struct stepped {
	struct lane lane, copy;
	struct image image; /* the last one that was looked at */
	unsigned long images;
	/*
	 * The parcel that is published. It is made beforehand, because the lane is stepped through, not the making of
	 * records.
	 */
	_Alignas(8) char parcel[PARCEL_BYTES_MAX];
	size_t bytes;
	uint32_t events;
};

static void
publish_one(void *context)
{
	struct stepped *s = context;
	size_t available;
	char *out = lane_reserve(&s->lane, &available);

	REQUIRE(out != NULL && available >= s->bytes);
	memcpy(out, s->parcel, s->bytes);
	(void)lane_publish(&s->lane, s->bytes, s->events, 0);
}

static void
release_one(void *context)
{
	struct stepped *s = context;
	struct parcel parcel;

	REQUIRE(lane_peek(&s->lane, lane_released(&s->lane), &parcel));
	lane_release(&s->lane, lane_released(&s->lane) + 1);
}

/* In a copy of the lane a producer fills it, and then a consumer finds every parcel whole. */
static void
look_through_successors_eyes(void *context)
{
	struct stepped *s = context;
	struct lane *copy = &s->copy;
	struct image *image = &s->image;
	struct parcel parcel;
	uint32_t at;

	if (memcmp(&image->control, s->lane.control, sizeof image->control) == 0 &&
	    memcmp(image->slots, s->lane.slots, sizeof image->slots) == 0 &&
	    memcmp(image->arena, s->lane.arena, sizeof image->arena) == 0)
		return;
	memcpy(&image->control, s->lane.control, sizeof image->control);
	memcpy(image->slots, s->lane.slots, sizeof image->slots);
	memcpy(image->arena, s->lane.arena, sizeof image->arena);
	s->images++;

	memcpy(copy->control, &image->control, sizeof image->control);
	memcpy(copy->slots, image->slots, sizeof image->slots);
	memcpy(copy->arena, image->arena, sizeof image->arena);

	REQUIRE(lane_valid(copy, SMALL_SLOTS));
	for (;;) {
		uint32_t next = copy->control->ring.p_tail, events;
		size_t available, bytes = 0;
		char *out = lane_reserve(copy, &available);

		if (out != NULL)
			bytes = parcel_build(out, available, seed, next, 2, &events);
		if (bytes == 0)
			break;
		REQUIRE(lane_publish(copy, bytes, events, 0) == next + 1);
	}
	for (at = lane_released(copy); lane_peek(copy, at, &parcel); at++)
		parcel_require(&parcel, seed, at);
	REQUIRE(at == copy->control->ring.p_tail);
	lane_release(copy, at);
	REQUIRE(lane_depth(copy) == 0);
}

static void
test_a_lane_is_whole_after_every_instruction(void **state)
{
	/* Begins just below the wrap-around of the positions, and not far from the arena's end. */
	struct stepped s = {
	    .lane = lane_over_memory(SMALL_SLOTS, SMALL_ARENA, UINT32_MAX - 3, SMALL_ARENA - 512),
	    .copy = lane_over_memory(SMALL_SLOTS, SMALL_ARENA, 0, 0),
	};
	unsigned long steps = 0;

	/* One to three parcels wait at any time. */
	for (uint32_t i = 0; i < 14; i++) {
		uint32_t next = s.lane.control->ring.p_tail;
		unsigned long taken;

		s.bytes = parcel_build(s.parcel, sizeof s.parcel, seed, next, 1, &s.events);
		taken = single_step(publish_one, look_through_successors_eyes, &s);
		if (taken == 0)
			skip();
		assert_int_equal(s.lane.control->ring.p_tail, next + 1);
		steps += taken;
		if (lane_depth(&s.lane) < 1 + i % 3)
			continue;
		next = lane_released(&s.lane);
		steps += single_step(release_one, look_through_successors_eyes, &s);
		assert_int_equal(lane_released(&s.lane), next + 1);
	}
	(void)printf("%lu instructions left %lu different lanes to a successor\n", steps, s.images);
	assert_true(s.images > 14 * 4); /* each field of a descriptor, and a counter */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_parcel_is_lost_when_processes_are_killed_at_random),
	    cmocka_unit_test(test_a_lane_is_whole_after_every_instruction),
	};

	seed = seed_for("test_lane_crash");
	return cmocka_run_group_tests_name("lane_crash", tests, NULL, NULL);
}
