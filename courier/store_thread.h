/*
 * The courier's second thread, which has the connection to the webhooks' store. It writes outcomes, reads rows and
 * endpoints, keeps the node's row (courier 0), and follows the changes of all nodes. The loop asks it by the functions
 * here, and hears of everything in one queue (courier/news.h).
 */
#ifndef COURIER_STORE_THREAD_H
#define COURIER_STORE_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "courier/attempt.h"
#include "courier/errands.h"
#include "courier/news.h"
#include "shm/segment.h"

struct store_thread;

/* ---- what the loop asks for ---- */

/* Names an endpoint; tenant_id is copied. */
struct endpoint_name {
	const char *tenant_id;
	uint8_t endpoint_id[16];
};

/* The row, which the thread answers by NEWS_ENDPOINT. Also what was asked for stays known: its changes come unasked. */
void store_thread_load_endpoint(struct store_thread *thread, const struct endpoint_name *name);

/* The loop has no use for the endpoint any more: its changes are not told. */
void store_thread_forget_endpoint(struct store_thread *thread, const struct endpoint_name *name);

/* The endpoint's circuit breaker is that by now, which the thread writes down. */
void store_thread_tell_breaker(struct store_thread *thread, const struct endpoint_name *name, enum breaker_state state);

/*
 * The endpoint's lease, for so long from the answer on, NEWS_LEASE; and that it is given back. See courier/lease.h.
 */
void store_thread_take_lease(struct store_thread *thread, const struct endpoint_name *name, uint32_t for_ms);
void store_thread_give_lease(struct store_thread *thread, const struct endpoint_name *name);

/* That came of a test of the endpoint, which the thread writes down. */
void store_thread_tell_test(
    struct store_thread *thread, const struct endpoint_name *name, const struct attempt_result *result);

/* A transform, which the thread answers by NEWS_TRANSFORM. */
void store_thread_load_transform(struct store_thread *thread, const char *tenant_id, const uint8_t transform_id[16]);

/*
 * A page of the endpoint's rows: answered by NEWS_PAGE. It stops at 500 rows; events come with those that are due, of
 * an endpoint with fifo with all, and stop at event_bytes, but one always comes.
 */
void store_thread_read_page(
    struct store_thread *thread, const struct endpoint_name *name, const struct page_wish *wish);

/* All endpoints of this courier that have rows, slice by slice: NEWS_HAS_ROWS for each, then NEWS_WALKED. */
void store_thread_walk(struct store_thread *thread);

/* Outcomes stand on the lane. now: they, or changes that have come, do not wait until outcomes are due. */
void store_thread_wake(struct store_thread *thread, bool now);

/* ---- what it tells ---- */

/* The oldest news, which news_free() frees; NULL: none. */
struct news *store_thread_news(struct store_thread *thread);

/* Readable when there are news. store_thread_news() makes it unreadable when it returns NULL. */
int store_thread_fd(const struct store_thread *thread);

/* ---- life ---- */

/* Starts it: config with its secrets, the segment, this courier's number, its lane OUTCOMES. 0 or <0. */
int store_thread_start(struct store_thread **thread, const struct config *config, const struct segment *segment,
    uint32_t courier, struct error *err);

/* Whether the thread is silent for longer than its calls may last: the loop then does not say that it lives. */
bool store_thread_is_stuck(const struct store_thread *thread);

/*
 * Writes what is on the lane until that instant of the steady clock, and ends. false: it is still at work, and what it
 * uses must not be released.
 */
bool store_thread_stop(struct store_thread *thread, int64_t until_us);

#endif
