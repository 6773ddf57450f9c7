/* Which endpoints get the slots. An attempt of each endpoint takes its own time, by a clock that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "courier/ready.h"
#include "tests/unit/lane_fixture.h"

#define MILLISECOND INT64_C(1000)
#define SECOND INT64_C(1000000)
#define SLOTS COURIER_IN_FLIGHT_MOST
#define QUEUES_MOST 400u
#define TENANTS_MOST 8u

struct fake_job {
	uint8_t id[16];
	struct heap_item due;
	struct queue *queue;
	enum job_class class;
	int64_t ends_us;
};

static struct ready ready;
static struct tenant tenants[TENANTS_MOST];
static struct queue queues[QUEUES_MOST];
static struct endpoint_config configs[QUEUES_MOST];
static int64_t takes_us[QUEUES_MOST]; /* the duration of an attempt of each queue */
static struct fake_job *under_way[SLOTS];
static uint32_t under_way_count, queue_count, jobs_made;

static int
begin(void **state)
{
	ready_open(&ready);
	ready.shares.view.nodes = 1;
	ready_advance(&ready, 1000 * SECOND);
	memset(tenants, 0, sizeof tenants);
	memset(queues, 0, sizeof queues);
	under_way_count = queue_count = 0;
	for (uint32_t i = 0; i < TENANTS_MOST; i++)
		tenants[i].turn.id = tenants[i].link.id;
	return 0;
}

static struct queue *
add_queue(uint32_t tenant, uint32_t max_in_flight, int64_t each_us)
{
	struct queue *queue = &queues[queue_count];

	memcpy(queue->link.id, &queue_count, sizeof queue_count);
	queue->due.id = queue->turn.id = queue->lease_due.id = queue->link.id;
	queue->tenant = &tenants[tenant];
	queue->state = ENDPOINT_LOADED;
	queue->config = &configs[queue_count];
	configs[queue_count] =
	    (struct endpoint_config){.enabled = true, .max_in_flight = max_in_flight, .rate_limit_rps = 100000};
	takes_us[queue_count++] = each_us;
	return queue;
}

static void
add_job(struct queue *queue, enum job_class class)
{
	struct fake_job *job = mem_new(1, sizeof *job);

	memcpy(job->id, &jobs_made, sizeof jobs_made);
	jobs_made++;
	job->due.id = job->id;
	job->queue = queue;
	job->class = class;
	heap_put(&queue->waiting[class], &job->due, ready.now_us);
	ready_update(&ready, queue);
}

static void
add_jobs(struct queue *queue, enum job_class class, uint32_t count)
{
	while (count-- > 0)
		add_job(queue, class);
}

/* Begins one attempt, and checks what must hold for it. False: none may begin. */
static bool
begin_one(void)
{
	struct queue *queue = ready_next(&ready);
	struct fake_job *job;

	if (queue == NULL)
		return false;
	job = HEAP_ENTRY(ready_job(&ready, queue), struct fake_job, due);
	assert_true(job->due.at <= ready.now_us);
	heap_remove(&queue->waiting[job->class], &job->due);
	ready_begin(&ready, queue, job->class);
	job->ends_us = ready.now_us + takes_us[queue - queues];
	ready_update(&ready, queue);
	under_way[under_way_count++] = job;
	assert_true(under_way_count <= SLOTS);
	assert_true(queue->in_flight <= queue->config->max_in_flight);
	assert_true(ready.again_in_flight <= SLOTS - SLOTS / 4);
	return true;
}

/* Takes a turn after that time. */
static void
turn(int64_t us)
{
	ready_advance(&ready, ready.now_us + us);
	for (uint32_t i = 0; i < under_way_count;) {
		struct fake_job *job = under_way[i];

		if (job->ends_us > ready.now_us) {
			i++;
			continue;
		}
		under_way[i] = under_way[--under_way_count];
		ready_end(&ready, job->queue, job->class);
		ready_update(&ready, job->queue);
		free(job);
	}
	while (begin_one())
		;
	assert_int_equal(ready.in_flight, under_way_count);
}

static int
end(void **state)
{
	for (uint32_t i = 0; i < queue_count; i++) {
		for (int class = JOB_FIRST; class < JOB_CLASSES; class ++)
			while (queues[i].waiting[class].count > 0) {
				struct heap_item *item = heap_first(&queues[i].waiting[class]);

				heap_remove(&queues[i].waiting[class], item);
				free(HEAP_ENTRY(item, struct fake_job, due));
			}
		ready_update(&ready, &queues[i]);
	}
	while (under_way_count > 0)
		turn(3600 * SECOND);
	for (uint32_t i = 0; i < queue_count; i++) {
		assert_true(queues[i].place == READY_NOWHERE && !queues[i].is_held_back && queues[i].in_flight == 0);
		heap_free(&queues[i].waiting[JOB_FIRST]);
		heap_free(&queues[i].waiting[JOB_AGAIN]);
	}
	for (uint32_t i = 0; i < TENANTS_MOST; i++) {
		assert_true(tenants[i].place == READY_NOWHERE && tenants[i].in_flight == 0);
		heap_free(&tenants[i].ready);
	}
	assert_int_equal(ready.again_in_flight, 0);
	ready_close(&ready);
	return 0;
}

/* ---- effects that users see ---- */

static void
test_a_slow_endpoint_leaves_slots_for_those_that_come_later(void **state)
{
	struct queue *slow = add_queue(0, 10000, 30 * SECOND), *other;

	add_jobs(slow, JOB_FIRST, 5000);
	turn(0);
	assert_int_equal(slow->in_flight, SLOTS - SLOTS / 4);
	for (uint32_t i = 0; i < 100; i++) {
		other = add_queue(i % 2, 10, 10 * MILLISECOND);
		add_job(other, JOB_FIRST);
		turn(10 * MILLISECOND);
		assert_int_equal(queue_waiting(other), 0);
	}
}

static void
test_an_endpoint_that_is_alone_is_limited_by_itself_only(void **state)
{
	struct queue *queue = add_queue(0, 700, SECOND);

	add_jobs(queue, JOB_FIRST, 1000);
	turn(0);
	assert_int_equal(queue->in_flight, 700);
}

static void
test_first_attempts_have_slots_beside_repeated_ones(void **state)
{
	struct queue *first;

	for (uint32_t i = 0; i < 200; i++)
		add_jobs(add_queue(i % 4, 10, 30 * SECOND), JOB_AGAIN, 100);
	first = add_queue(5, 200, 10 * MILLISECOND);
	turn(0);
	assert_int_equal(ready.again_in_flight, SLOTS - SLOTS / 4);
	add_jobs(first, JOB_FIRST, 150);
	turn(10 * MILLISECOND);
	assert_int_equal(queue_waiting(first), 0);
}

/* An endpoint's repeated attempts are due before its first ones, but must not block them. */
static void
test_first_attempts_of_an_endpoint_pass_its_repeated_ones(void **state)
{
	struct queue *mixed;

	for (uint32_t i = 0; i < 200; i++)
		add_jobs(add_queue(i % 4, 10, 30 * SECOND), JOB_AGAIN, 100);
	turn(0);
	mixed = add_queue(5, 10, 10 * MILLISECOND);
	add_jobs(mixed, JOB_AGAIN, 5);
	add_jobs(mixed, JOB_FIRST, 5);
	turn(10 * MILLISECOND);
	assert_int_equal(mixed->waiting[JOB_FIRST].count, 0);
	assert_int_equal(mixed->waiting[JOB_AGAIN].count, 5);
	turn(30 * SECOND);
	turn(0);
	assert_int_equal(mixed->waiting[JOB_AGAIN].count, 0);
}

/* The time in slots, summed while the clock runs. */
static void
test_tenants_share_the_slots_by_time(void **state)
{
	uint64_t slots[2] = {0, 0};

	for (uint32_t i = 0; i < 200; i++)
		(void)add_queue(i % 2, 10, i % 2 == 0 ? 5 * SECOND : 100 * MILLISECOND);
	for (int64_t ms = 0; ms < 60000; ms += 100) {
		for (uint32_t i = 0; i < queue_count; i++)
			if (queue_waiting(&queues[i]) < 10)
				add_jobs(&queues[i], JOB_FIRST, 10);
		turn(100 * MILLISECOND);
		for (int i = 0; i < 2 && ms >= 20000; i++)
			slots[i] += tenants[i].in_flight;
	}
	assert_true(slots[0] < slots[1] * 5 / 4 && slots[1] < slots[0] * 5 / 4);
	assert_true(slots[0] + slots[1] > 400 * (SLOTS * 9 / 10)); /* nearly all slots are used */
}

/* ---- random loads ---- */

static bool
waits_for_a_slot(const struct queue *queue)
{
	return queue->in_flight < queue->config->max_in_flight &&
	       (queue->waiting[JOB_FIRST].count > 0 || (queue->waiting[JOB_AGAIN].count > 0 && !ready.holds_back));
}

/* An endpoint that waits has its part: three times the slots that are left, or its tenant has seven times as many. */
static void
check_who_waits(void)
{
	uint32_t left = SLOTS - under_way_count;

	for (uint32_t i = 0; i < queue_count; i++)
		if (waits_for_a_slot(&queues[i]))
			assert_true(queues[i].in_flight >= 3 * left || queues[i].tenant->in_flight >= 7 * left);
}

static void
test_no_endpoint_is_left_without_its_part_of_the_slots(void **state)
{
	struct dice dice = {seed_for("ready")};

	for (uint32_t round = 0; round < 20; round++) {
		uint32_t count = 1 + dice_below(&dice, QUEUES_MOST - 1);

		for (uint32_t i = 0; i < count; i++)
			(void)add_queue(dice_below(&dice, TENANTS_MOST),
			    1 + dice_below(&dice, dice_below(&dice, 10) == 0 ? 2000 : 20),
			    (1 + dice_below(&dice, dice_below(&dice, 3) == 0 ? 30000 : 100)) * MILLISECOND);
		for (uint32_t step = 0; step < 300; step++) {
			for (uint32_t n = dice_below(&dice, 20); n > 0; n--)
				add_jobs(&queues[dice_below(&dice, count)],
				    dice_below(&dice, 3) == 0 ? JOB_AGAIN : JOB_FIRST,
				    dice_below(&dice, dice_below(&dice, 20) == 0 ? 2000 : 20));
			turn(dice_below(&dice, 200) * MILLISECOND);
			check_who_waits();
		}
		(void)end(NULL);
		(void)begin(NULL);
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_slow_endpoint_leaves_slots_for_those_that_come_later),
	    TEST(test_an_endpoint_that_is_alone_is_limited_by_itself_only),
	    TEST(test_first_attempts_have_slots_beside_repeated_ones),
	    TEST(test_first_attempts_of_an_endpoint_pass_its_repeated_ones),
	    TEST(test_tenants_share_the_slots_by_time),
	    TEST(test_no_endpoint_is_left_without_its_part_of_the_slots),
	};

	return cmocka_run_group_tests_name("ready", tests, NULL, NULL);
}
