/*
 * Rows of four nodes, and the heartbeats of the first one, which adopts others: over a store of the program's own
 * (tests/unit/jobs_fixture.h). Include after cmocka.h.
 */
#ifndef TESTS_ADOPTION_FIXTURE_H
#define TESTS_ADOPTION_FIXTURE_H

#include "courier/adoption.h"
#include "shm/segment.h"

#define SECOND_US (1000 * INT64_C(1000))
#define TIMEOUT 30 /* seconds: HL_NODE_TIMEOUT_SECS of all */

extern struct segment segment; /* of the node, with two couriers */
extern struct adoption adoption;
extern const struct node_row own; /* node 1. Nodes 2 to 4 are alive. All have the epoch 10 */

/* Of a test, which has a tenant of its own. */
int adoption_begin(void **state);
int adoption_end(void **state);
#define ADOPTION_TEST(test) cmocka_unit_test_setup_teardown(test, adoption_begin, adoption_end)

/* Runs a statement in a transaction of its own. */
void run(const char *sql);

/* The node's last heartbeat is so old. */
void silence(int64_t node_id, int64_t seconds);

/* A heartbeat at that second of a clock that both sides see, unless the database's is so many seconds ahead. */
void beat(int64_t second, int64_t ahead);

/* From the first heartbeat on one every five seconds. */
void beat_until(int64_t first, int64_t last);

/* Which node has adopted that one; 0: none; -1: its row is gone. */
int64_t adopted_by(int64_t node_id);

uint64_t counted(enum counter counter);

#endif
