/*
 * Rows of the webhooks' store for tests: events, jobs and endpoints of a tenant of the test's own. Include after
 * cmocka.h.
 */
#ifndef TESTS_JOBS_FIXTURE_H
#define TESTS_JOBS_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/db.h"

#define NODE 1 /* the first one that claims a row */
#define SOME_MS 1767225600000 /* the time in the ids of events */

extern struct db *jobs_db; /* opened for the group */
extern char jobs_tenant[32]; /* another one for each test */

int jobs_set_up(void **state);
int jobs_tear_down(void **state);
int jobs_new_tenant(void **state);

/* Ids: of an endpoint, of an event by its number, of that event's job k; they stay for many calls. */
const uint8_t *endpoint_id(uint8_t number);
const uint8_t *event_id(uint32_t number);
const uint8_t *job_id(uint32_t event, uint16_t k);

/* An endpoint that is active. */
void add_endpoint(uint8_t number);

/* The event, of topic "a.b", with payload; job 1 of it for that endpoint, due in so many ms. */
void add_event(uint32_t number, const char *payload);
void add_job(uint8_t endpoint, uint32_t event, int64_t due_in_ms);

/* The event of that number, with the payload "kept", beside its job 1. */
void keep_event_beside(uint32_t number);

/* The first value of a statement whose $1 is the tenant; the text stays until the next call. */
int64_t tenant_count(const char *sql);
const char *tenant_text(const char *sql);

/* Runs a statement whose $1 is the tenant in a transaction of its own. */
void tenant_run(const char *sql);

/*
 * Somebody's trigger of that name refuses what is done, as "INSERT ON dlq", to rows where a condition holds; and is
 * gone.
 */
void add_refusal(const char *name, const char *what, const char *when);
void remove_refusal(const char *name, const char *table);

/*
 * Somebody's trigger of that name, for remove_refusal(), takes so many seconds for each "ROW" or "STATEMENT". In
 * PostgreSQL alone: SQLite has one writer at a time, and none is late.
 */
bool store_has_delays(void);
void add_delay(const char *name, const char *what, const char *each, const char *seconds);

#endif
