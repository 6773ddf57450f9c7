/*
 * Rows of the webhooks' store for tests: events, jobs and endpoints of a tenant of the test's own. Include after
 * cmocka.h.
 */
#ifndef TESTS_JOBS_FIXTURE_H
#define TESTS_JOBS_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/db.h"

#define NODE 1 /* the node_id of the first node that claims a row */
#define SOME_MS 1767225600000 /* the time in the ids of events */

extern struct db *jobs_db; /* opened for the group */
extern char jobs_tenant[32]; /* each test has another one */

int jobs_set_up(void **state);
int jobs_tear_down(void **state);
int jobs_new_tenant(void **state);

/* Ids of an endpoint, of an event, and of job k of that event. The bytes stay valid for many calls. */
const uint8_t *endpoint_id(uint8_t number);
const uint8_t *event_id(uint32_t number);
const uint8_t *job_id(uint32_t event, uint16_t k);

/* Adds an active endpoint. */
void add_endpoint(uint8_t number);

/* add_event() adds an event of topic "a.b". add_job() adds job 1 of an event for that endpoint, due in so many ms. */
void add_event(uint32_t number, const char *payload);
void add_job(uint8_t endpoint, uint32_t event, int64_t due_in_ms);

/* Keeps the event of that number, with the payload "kept", beside its job 1, as a requeue does. */
void keep_event_beside(uint32_t number);

/* The first value of a statement whose $1 is the tenant. The text stays valid until the next call. */
int64_t tenant_count(const char *sql);
const char *tenant_text(const char *sql);

/* Runs a statement, whose $1 is the tenant, in a transaction of its own. */
void tenant_run(const char *sql);

/*
 * add_refusal() makes a trigger that refuses an operation, such as "INSERT ON dlq", for rows where the condition holds.
 * remove_refusal() drops it.
 */
void add_refusal(const char *name, const char *what, const char *when);
void remove_refusal(const char *name, const char *table);

/*
 * add_delay() makes a trigger that takes so many seconds for each "ROW" or "STATEMENT"; remove_refusal() drops it.
 * store_has_delays(): only PostgreSQL has them, because SQLite has one writer at a time and none is late.
 */
bool store_has_delays(void);
void add_delay(const char *name, const char *what, const char *each, const char *seconds);

#endif
