/*
 * What the tests of a publisher's sink share: the tenant of tests/unit/routes_fixture.h, and a publisher, which notes
 * what it hands over. Include after cmocka.h.
 */
#ifndef TESTS_PUBLISH_FIXTURE_H
#define TESTS_PUBLISH_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/node.h"
#include "store/sink.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/event_fixture.h"
#include "tests/unit/routes_fixture.h"

/* ---- the publisher ---- */

extern struct node_row node; /* what it takes for its row */
extern char handed[512]; /* topics and numbers of jobs: "a.b:1,2 b:1" */
extern uint32_t ends, misses; /* calls of these */
extern void (*in_mid_batch)(void); /* called when a batch begins */

/* With SQLite called when a transaction is about to begin: events are routed by then. */
extern void (*before_transaction)(void);

/* ---- the store ---- */

extern struct sink *sink;

/* Of the group. */
int set_up(void **state);
int tear_down(void **state);

/* Of a test: a tenant whose endpoint 1 gets a.#, and whose endpoint 2 everything; and a sink that is open. */
int new_tenant(void **state);
int close_sink(void **state);

/* Runs a statement without parameters. */
void run_alone(const char *sql);

/* The one value that a query of the tenant returns, as text. */
const char *value(const char *sql);

/* Whether the file of dead letters has that text. */
bool is_dead_letter(const char *part);

/* ---- publishing ---- */

/* Stores events, of this tenant unless they name another. outcomes: of each, or NULL as for what was spooled. */
int publish(
    const struct published_event *events, uint32_t count, struct publish_outcome *outcomes, struct sink_result *result);

/*
 * Stores a group of them, as the sink chooses: those whose outcomes are all zero. requests: by event, the number of its
 * request; NULL: all are of one, or of none that waits when they are spooled.
 */
extern const uint32_t *requests;
extern bool spooled;
int publish_group(
    const struct published_event *events, uint32_t count, struct publish_outcome *outcomes, struct sink_result *result);

/* "2 stored 0 duplicates 0 dead 0 discarded" */
const char *publish_all(const struct published_event *events, uint32_t count, struct publish_outcome *outcomes);

#endif
