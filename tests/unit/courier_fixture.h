/*
 * Runs the real courier between a fake HTTP client and a fake store thread, which replace the real ones at link time.
 * Both fakes read and write a model of the table `jobs`. Nothing happens by itself: the test moves the clock, ends
 * attempts, and has the store thread work.
 */
#ifndef TESTS_COURIER_FIXTURE_H
#define TESTS_COURIER_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/courier.h"

#define SECOND ((int64_t)1000000)

#define ENDPOINTS 6u
#define LANES 2u
#define MODEL_PAGE_ROWS 7u /* rows of a page, fewer than the real ones */

/*
 * fake_now_us is the steady clock, fake_step_us how far the wall clock is ahead of it, fake_slept_us how long the
 * machine has slept.
 */
extern int64_t fake_now_us, fake_step_us, fake_slept_us;

struct model_endpoint {
	uint8_t id[16];
	const char *tenant_id;
	int64_t version, breaker_version;
	enum breaker_state breaker; /* the one that the courier has reported last */
	bool enabled, deleted;
	bool unreadable; /* the store refuses to read its rows */
	bool refuses; /* the store refuses outcomes of its jobs in every form */
	bool known; /* the courier has asked for it, and is sent its changes */
	uint32_t max_in_flight, rate_limit_rps;
	bool exact_limits;
	uint32_t timeout_ms;
	int64_t limits_version; /* sent with the endpoint; 0: its limits are as before */
	bool leased_elsewhere; /* another node has the lease */
	bool leased; /* this courier has the lease */
	uint32_t lease_asks;
	uint32_t in_flight, most_in_flight;
	uint32_t waits, waits_ms[4];
	bool fifo, by_key, blocks;
	int64_t last_seq; /* the place of its newest row */
	bool other_sender; /* with fifo: another node sends its events */
	bool enabled_as_told; /* as the newest MESSAGE_ENDPOINT says that the courier has taken */
};

struct model_row {
	struct record *event;
	uint8_t job_id[16];
	uint32_t endpoint;
	bool has_transform, unreadable;
	bool is_row; /* false: it is delivered or dead */
	uint32_t attempt_count;
	int64_t due_us, begun_us, expires_ms;
	int64_t not_before_us; /* as the last outcome on the lane says */
	uint32_t delivered, dead, attempts;
	char reason[32];
	bool in_flight, accepted; /* accepted: the receiver has said 2xx */
	bool gone; /* its event is not stored any more */
	bool cancelled; /* the API has removed the row */
	bool noted; /* the store has a note of that: couriers are sent it, also at their start */
	bool was_known; /* in memory when the courier requested the last page of its endpoint */
	const struct message *missing; /* the last page that should have had it; NULL: none */
	bool told; /* the courier has taken that page or note, and must not begin the job again */
	int64_t seq; /* its place in its order; -1: none */
	char key; /* its ordering_key; 0: none */
	bool stops; /* it is dead, and its order stops there */
};

struct model_attempt {
	struct attempt_spec spec;
	struct model_row *row;
	struct attempt_result result;
	bool is_done;
};

struct scene {
	struct courier courier;
	struct courier_slot slot;
	struct node_words node;
	struct lane jobs[LANES], outcomes;
	struct model_endpoint endpoints[ENDPOINTS];
	struct model_row **rows;
	uint32_t row_count;
	struct model_attempt **attempts; /* under way */
	uint32_t attempt_count;
	uint32_t begun; /* attempts since the test began */
	uint32_t wakes, loads, pages, scans;
	struct page_query page; /* the newest one that the courier asked for */
	struct attempt_spec test; /* the newest, as it was begun */
	uint32_t tests; /* begun since the test began */
	struct attempt_result tested; /* the result of the newest one, as the store thread got it */
	uint32_t tested_count;
	uint64_t limit;
};

#define SETTLE (5 * SECOND) /* how long shares of limits take to settle */

extern struct scene scene;

/*
 * Makes everything anew. The courier has `limit` bytes of memory and an outcomes lane of `outcomes_bytes`, and has not
 * started.
 */
void scene_begin(uint64_t limit, uint64_t outcomes_bytes);
void scene_end(void);

/* Set-up and tear-down of a test. The courier has 8 MiB of memory and an outcomes lane of 1 MiB, and has started. */
int scene_set_up(void **state);
int scene_tear_down(void **state);
#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, scene_set_up, scene_tear_down)

uint32_t jobs_in_memory(void); /* of the courier */

/* Kills the courier, and puts another one in its place. */
void scene_kill(void);

/* Adds a row whose event has so many bytes, without handing it over. begun_us: when the row's transaction began. */
struct model_row *scene_row(uint32_t endpoint, uint32_t bytes, int64_t begun_us);

/* Does the same with an ordering_key (0: none). At an endpoint with fifo the row gets the next place. */
struct model_row *scene_row_of_key(uint32_t endpoint, uint32_t bytes, int64_t begun_us, char key);

/* Adds job `number` of a row's event, for an endpoint of the same tenant. */
struct model_row *scene_sibling(const struct model_row *row, uint32_t endpoint, uint32_t number);

struct model_row *scene_row_by_id(const uint8_t job_id[16]);

/* scene_hand_over() hands over rows of one event. scene_miss() reports rows that found no room on the lane. */
void scene_hand_over(uint32_t lane, struct model_row **rows, uint32_t count);
void scene_miss(void);

/*
 * scene_cancel() removes the row, scene_hurry() makes it due now, as the API does. The courier learns that the
 * endpoint's rows have changed.
 */
void scene_cancel(struct model_row *row);
void scene_hurry(struct model_row *row);

struct model_row *scene_publish(uint32_t endpoint); /* a row that is handed over at once */

/* Gives the endpoint a new version after a change in the model. A courier that knows the endpoint is sent it. */
void scene_change(uint32_t endpoint);

/* http_end() ends the attempt of that number among those under way. http_answer() ends it with an HTTP status. */
void http_end(uint32_t number, const struct attempt_result *result);
void http_answer(uint32_t number, int32_t status);

/*
 * scene_settle() repeats turns, answers and commits until nothing changes any more. scene_pass() moves the clock on
 * first.
 */
void scene_settle(void);
void scene_pass(int64_t us);

/*
 * scene_publish_many() hands over so many rows. scene_answer_all() ends all attempts under way with that status. Both
 * settle.
 */
void scene_publish_many(uint32_t endpoint, uint32_t count);
void scene_answer_all(int32_t status);

#endif
