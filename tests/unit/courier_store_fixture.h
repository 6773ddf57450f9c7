/* The fake store thread of a courier under test, which reads and writes the model of courier_fixture.h. */
#ifndef TESTS_COURIER_STORE_FIXTURE_H
#define TESTS_COURIER_STORE_FIXTURE_H

#include "tests/unit/courier_fixture.h"

/*
 * store_start() gives the courier what the test has noted, and begins. store_answer() answers the courier's next
 * request. store_commit() writes at most so many outcomes.
 */
void store_start(void);
bool store_answer(void);
uint32_t store_commit(uint32_t most);
void store_send_endpoint(const struct model_endpoint *endpoint);
void store_send_cancelled(const struct model_row *row);
void store_send_rows(const struct model_endpoint *endpoint);
void store_lose_node(void);

/*
 * So many nodes share the limits, and `rank` of them stand before this one. 0 nodes: this node has no share yet. At
 * first it is alone.
 */
void store_send_nodes(uint32_t nodes, uint32_t rank);
void store_send_version(int64_t version);
void store_send_seen(int64_t version); /* all other nodes act by that version */

/* Deliveries are paused for that tenant, for all ("*"), or for no tenant (NULL). */
void store_send_pause(const char *tenant_id);

/* The API asks for a test of the endpoint, with the row's event. */
void store_send_test(const struct model_endpoint *endpoint, const struct model_row *row, const uint8_t attempt_id[16]);

/*
 * store_has_messages() returns whether messages wait for the courier. store_forget() drops the thread, the requests and
 * the messages.
 */
bool store_has_messages(void);
void store_forget(void);

#endif
