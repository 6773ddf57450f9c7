/* The fake store thread of a courier under test, which reads and writes the model of courier_fixture.h. */
#ifndef TESTS_COURIER_STORE_FIXTURE_H
#define TESTS_COURIER_STORE_FIXTURE_H

#include "tests/unit/courier_fixture.h"

/*
 * store_start() gives the courier what tests have noted, and begins. store_answer() does the next thing that the
 * courier has asked for. store_commit() writes at most so many outcomes.
 */
void store_start(void);
bool store_answer(void);
uint32_t store_commit(uint32_t most);
void store_tell_endpoint(const struct model_endpoint *endpoint);
void store_tell_cancelled(const struct model_row *row);
void store_tell_rows(const struct model_endpoint *endpoint);
void store_lose_node(void);

/* So many nodes share limits, of which so many stand before this one; 0: it has no share yet. At first it is alone. */
void store_tell_nodes(uint32_t nodes, uint32_t rank);
void store_tell_version(int64_t version);
void store_tell_seen(int64_t version); /* all other nodes act by it */

/* Deliveries of that tenant alone are paused, or of all ("*"), or of nobody (NULL). */
void store_tell_pause(const char *tenant_id);

/* Somebody asks for a test of the endpoint; the event is that of a row. */
void store_tell_test(const struct model_endpoint *endpoint, const struct model_row *row, const uint8_t attempt_id[16]);

/* Whether messages wait for the courier. The second: the thread and all that it was asked for are gone. */
bool store_has_messages(void);
void store_forget(void);

#endif
