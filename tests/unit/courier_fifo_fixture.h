/* The part of the model of tests/unit/courier_fixture.h that is about endpoints with fifo. */
#ifndef TESTS_COURIER_FIFO_FIXTURE_H
#define TESTS_COURIER_FIFO_FIXTURE_H

#include "tests/unit/courier_fixture.h"

/* Set-up of a test whose endpoint 0 has fifo and may have five requests under way. */
int fifo_set_up(void **state);
#define FIFO_TEST(test) cmocka_unit_test_setup_teardown(test, fifo_set_up, scene_tear_down)

/*
 * under_way() returns the row of the only attempt under way. answer() ends that attempt, and lets the gap between two
 * rounds of reading rows pass.
 */
const struct model_row *under_way(void);
void answer(int32_t status);

/*
 * scene_publish_key() hands over a row with an ordering_key (0: none) at once. scene_store_key() stores it as another
 * node does: the courier does not learn of it.
 */
struct model_row *scene_publish_key(uint32_t endpoint, char key);
struct model_row *scene_store_key(uint32_t endpoint, char key);

/*
 * scene_dead_letter() makes the row a dead letter, as upkeep does. scene_requeue() puts a dead row back, at the front
 * of its order. The courier learns that the endpoint's rows have changed.
 */
void scene_dead_letter(struct model_row *row);
void scene_requeue(struct model_row *row);

/* The store thread reports a row that another node has stored. */
void store_send_place(const struct model_row *row);

/* Whether the row needs no further attempt: the receiver has accepted it, it is dead, or it is cancelled. */
bool scene_is_over(const struct model_row *row);

/*
 * The rest is for the other files of the fixture. Asserts that an attempt of the row may begin: no earlier row of its
 * order is left to do, no attempt of the order is under way, and the order is not stopped.
 */
void model_check_order(const struct model_row *row, const struct endpoint_config *config);
/* Compare rows for qsort(3). */
int model_by_id(const void *a, const void *b);
int model_by_place(const void *a, const void *b);
/* Whether the row comes after the place and id, in the order in which the page reads rows. */
bool model_is_behind(const struct model_row *row, const struct page_query *query, int64_t seq, const uint8_t *id);
/* Gives the endpoint's rows without a place one, as the first page of an order does. */
void model_place_rows(const struct model_endpoint *endpoint);
/* Adds the orders that are stopped to the page. */
void model_tell_stopped(const struct model_endpoint *endpoint, struct message *page);
/* The row as a page shows it. */
struct page_row model_page_row(const struct model_row *row, const struct page_query *query);
/* Sets `missing` of the cancelled rows that the courier knew and that this page should have had. */
void model_note_missing(const uint8_t *id, const struct page_query *query, const struct message *page);
/* Whether the courier cannot use the page, because the endpoint's order has changed since the page was requested. */
bool model_is_outdated(const struct message *page);

#endif
