/*
 * A courier under test: the real one between a fake HTTP client and a fake store thread, which stand in at link
 * time, and a model of the table `jobs` that the fakes read and write. Nothing happens by itself: the test moves the
 * clock, ends attempts, and has the store thread work.
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

/* The steady clock, how far ahead of it the wall clock is, and for how long the machine has slept. */
extern int64_t fake_now_us, fake_step_us, fake_slept_us;

struct model_endpoint {
	uint8_t id[16];
	const char *tenant_id;
	int64_t version, breaker_version;
	enum breaker_state breaker; /* as the courier has told */
	bool enabled, deleted;
	bool unreadable; /* the store refuses to read its rows */
	bool refuses; /* the store refuses outcomes of its jobs in every form */
	bool known; /* the courier has asked for it: its changes are told */
	uint32_t max_in_flight, rate_limit_rps;
	bool exact_limits;
	uint32_t timeout_ms;
	int64_t limits_version; /* that is told with it; 0: its limits are as before */
	bool leased_elsewhere; /* another node has the lease */
	bool leased; /* the courier has it */
	uint32_t lease_asks;
	uint32_t in_flight, most_in_flight;
	uint32_t waits, waits_ms[4];
	bool fifo, by_key, blocks;
	int64_t last_seq; /* of its rows' places */
	bool other_sender; /* with fifo: another node sends what it gets */
	bool enabled_as_told; /* by the newest MESSAGE_ENDPOINT that the courier has taken */
};

struct model_row {
	struct record *event;
	uint8_t job_id[16];
	uint32_t endpoint;
	bool has_transform, unreadable;
	bool is_row; /* false: it is delivered or dead */
	uint32_t attempt_count;
	int64_t due_us, begun_us, expires_ms;
	int64_t not_before_us; /* what the last outcome on the lane said */
	uint32_t delivered, dead, attempts;
	char reason[32];
	bool in_flight, accepted; /* accepted: the receiver has said 2xx */
	bool gone; /* its event is nowhere any more */
	bool cancelled; /* somebody else has removed the row */
	bool noted; /* and the store has a note of that: couriers are told, also at their start */
	bool was_known; /* in memory when the last page of its endpoint was asked for */
	const struct message *missing; /* the last page that should have had it; NULL: none */
	bool told; /* the courier has taken that page: the job must not be begun any more */
	int64_t seq; /* its place; -1: none */
	char key; /* its ordering_key; 0: none */
	bool stops; /* it is dead, and stops its order */
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
	uint32_t begun; /* attempts ever */
	uint32_t wakes, loads, pages, scans;
	struct page_query page; /* the last one */
	struct attempt_spec test; /* the newest, as it was begun */
	uint32_t tests; /* ever begun */
	struct attempt_result tested; /* what the store thread was told of one last */
	uint32_t tested_count;
	uint64_t limit;
};

#define SETTLE (5 * SECOND) /* of shares */

extern struct scene scene;

/* Everything anew: a courier with that much memory and an outcomes lane of so many bytes, which has not started. */
void scene_begin(uint64_t limit, uint64_t outcomes_bytes);
void scene_end(void);

/* A test with a scene of its own, of 8 MiB and an outcomes lane of 1 MiB, whose courier has started. */
int scene_set_up(void **state);
int scene_tear_down(void **state);
#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, scene_set_up, scene_tear_down)

uint32_t jobs_in_memory(void); /* of the courier */

/* The courier is killed, and another one takes its place. */
void scene_kill(void);

/* A row with an event of so many bytes; begun_us: when its transaction began. It is not handed over yet. */
struct model_row *scene_row(uint32_t endpoint, uint32_t bytes, int64_t begun_us);

/* The same with an ordering_key (0: none); at endpoints with fifo it has the next place. */
struct model_row *scene_row_of_key(uint32_t endpoint, uint32_t bytes, int64_t begun_us, char key);

/* Another job of a row's event, the k-th, for an endpoint of the same tenant. */
struct model_row *scene_sibling(const struct model_row *row, uint32_t endpoint, uint32_t number);

struct model_row *scene_row_by_id(const uint8_t job_id[16]);

/* Hands rows of one event over, or says that they were missed. */
void scene_hand_over(uint32_t lane, struct model_row **rows, uint32_t count);
void scene_miss(void);

/* Somebody else removes the row, or makes it due now; the courier learns that the endpoint's rows have changed. */
void scene_cancel(struct model_row *row);
void scene_hurry(struct model_row *row);

struct model_row *scene_publish(uint32_t endpoint); /* a row that is handed over at once */

/* The endpoint is as the model says by now: a new version, and the courier is told if it knows it. */
void scene_change(uint32_t endpoint);

/* The attempt under way with that number ends. The second: with a status. */
void http_end(uint32_t number, const struct attempt_result *result);
void http_answer(uint32_t number, int32_t status);

/* Turns, answers and commits until nothing changes any more; then the clock moves on by so much. */
void scene_settle(void);
void scene_pass(int64_t us);

/* So many rows are handed over; all attempts under way end with that status. And what follows from it. */
void scene_publish_many(uint32_t endpoint, uint32_t count);
void scene_answer_all(int32_t status);

#endif
