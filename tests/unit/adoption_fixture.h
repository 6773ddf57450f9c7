/*
 * Rows of four nodes, and the heartbeats of node 1, which adopts the others. The rows are in a store of the program's
 * own (tests/unit/jobs_fixture.h). Include after cmocka.h.
 */
#ifndef TESTS_ADOPTION_FIXTURE_H
#define TESTS_ADOPTION_FIXTURE_H

#include "courier/adoption.h"
#include "shm/segment.h"

#define SECOND_US (1000 * INT64_C(1000))
#define TIMEOUT 30 /* seconds: HL_NODE_TIMEOUT_SECS of each node */

extern struct segment segment; /* of the node, with two couriers */
extern struct adoption adoption;
extern const struct node_row own; /* node 1. Nodes 2 to 4 are alive. All have the epoch 10 */

/* Set-up and tear-down of a test. Each test has a tenant of its own. */
int adoption_begin(void **state);
int adoption_end(void **state);
#define ADOPTION_TEST(test) cmocka_unit_test_setup_teardown(test, adoption_begin, adoption_end)

/* Runs a statement in a transaction of its own. */
void run(const char *sql);

/* Makes the node's last heartbeat so many seconds old. */
void silence(int64_t node_id, int64_t seconds);

/* A heartbeat of node 1 at that second of its own clock. The database's clock is `ahead` seconds ahead of it. */
void beat(int64_t second, int64_t ahead);

/* A heartbeat every five seconds, from `first` to `last`. */
void beat_until(int64_t first, int64_t last);

/* The node that has adopted that one; 0: none; -1: the row is gone. */
int64_t adopted_by(int64_t node_id);

uint64_t counted(enum counter counter);

#endif
