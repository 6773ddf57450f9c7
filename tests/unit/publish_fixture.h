/*
 * What the tests of a publisher's sink share: the tenant of tests/unit/routes_fixture.h, and a publisher that notes the
 * jobs it hands over. Include after cmocka.h.
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

extern struct node_row node; /* the row that the publisher takes for its node's */
extern char handed[512]; /* topics and job numbers that were handed over: "a.b:1,2 b:1" */
extern uint32_t ends, misses; /* calls of end() and missed() */
extern void (*in_mid_batch)(void); /* called when a batch begins */

/* With SQLite: called when a transaction is about to begin, after events were routed. */
extern void (*before_transaction)(void);

/* ---- the store ---- */

extern struct sink *sink;

/* Set-up and tear-down of the group. */
int set_up(void **state);
int tear_down(void **state);

/*
 * Set-up and tear-down of a test: a tenant whose endpoint 1 gets a.# and whose endpoint 2 gets everything, and an open
 * sink.
 */
int new_tenant(void **state);
int close_sink(void **state);

/* Runs a statement without parameters. */
void run_alone(const char *sql);

/* The one value, as text, of a query whose $1 is the tenant. */
const char *value(const char *sql);

/* Whether the file of dead letters has that text. */
bool is_dead_letter(const char *part);

/* ---- publishing ---- */

/*
 * Stores events. Their tenant is that of the test unless they name another. outcomes: one for each event, or NULL as
 * for spooled events.
 */
int publish(
    const struct published_event *events, uint32_t count, struct publish_outcome *outcomes, struct sink_result *result);

/*
 * Stores a group, which the sink chooses, of the events whose outcomes are all zero. requests: for each event the
 * number of its request. NULL: all events are of one request, or, if they are spooled, of none that waits.
 */
extern const uint32_t *requests;
extern bool spooled;
int publish_group(
    const struct published_event *events, uint32_t count, struct publish_outcome *outcomes, struct sink_result *result);

/* Stores events, and returns the counts as "2 stored 0 duplicates 0 dead 0 discarded". */
const char *publish_all(const struct published_event *events, uint32_t count, struct publish_outcome *outcomes);

#endif
