/* Endpoints with fifo in the model of tests/unit/courier_fixture.h. */
#ifndef TESTS_COURIER_FIFO_FIXTURE_H
#define TESTS_COURIER_FIFO_FIXTURE_H

#include "tests/unit/courier_fixture.h"

/* A test whose endpoint 0 has fifo, and may have five requests under way. */
int fifo_set_up(void **state);
#define FIFO_TEST(test) cmocka_unit_test_setup_teardown(test, fifo_set_up, scene_tear_down)

/* The event that is under way, as the only one. The second ends it, and lets the gap between rounds pass. */
const struct model_row *under_way(void);
void answer(int32_t status);

/* A row with an ordering_key (0: none) is handed over at once. The second: another node stores it, nobody is told. */
struct model_row *scene_publish_key(uint32_t endpoint, char key);
struct model_row *scene_store_key(uint32_t endpoint, char key);

/* Upkeep makes a dead letter of a row. A dead row is requeued, at the front of its order. The courier is told. */
void scene_dead_letter(struct model_row *row);
void scene_requeue(struct model_row *row);

/* The store thread tells of a row that another node has stored. */
void store_tell_place(const struct model_row *row);

/* Whether it needs no attempt any more: the receiver has accepted it, it is dead, or cancelled. */
bool scene_is_over(const struct model_row *row);

/*
 * For the fixture. An attempt of the row begins: nothing that stands before it is left to do, nothing of its order is
 * under way, and nothing stops it. Of rows, for pages: their order by id, and by place; whether a row is behind that
 * place and id; endpoints' rows without a place get one; the orders that are stopped are told; a row of a page; which
 * rows the page should have had, and the courier knew of; whether the courier cannot use the page, because the endpoint
 * has come to keep another order since it was asked for.
 */
void model_check_order(const struct model_row *row, const struct endpoint_config *config);
int model_by_id(const void *a, const void *b);
int model_by_place(const void *a, const void *b);
bool model_is_behind(const struct model_row *row, const struct page_query *query, int64_t seq, const uint8_t *id);
void model_place_rows(const struct model_endpoint *endpoint);
void model_tell_stopped(const struct model_endpoint *endpoint, struct message *page);
struct page_row model_page_row(const struct model_row *row, const struct page_query *query);
void model_note_missing(const uint8_t *id, const struct page_query *query, const struct message *page);
bool model_is_outdated(const struct message *page);

#endif
