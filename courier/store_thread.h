/*
 * The courier's second thread, which has the connection to the webhooks' store. It writes outcomes, reads rows and
 * endpoints, keeps the node's row (courier 0), and follows the changes of all nodes. The loop calls the functions here
 * and receives all answers in one queue (courier/messages.h).
 */
#ifndef COURIER_STORE_THREAD_H
#define COURIER_STORE_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "courier/attempt.h"
#include "courier/messages.h"
#include "courier/store_requests.h"
#include "shm/segment.h"

struct store_thread;

/* ---- requests of the loop ---- */

/* Names an endpoint; tenant_id is copied. */
struct endpoint_name {
	const char *tenant_id;
	uint8_t endpoint_id[16];
};

/* Asks for the endpoint: MESSAGE_ENDPOINT, now and after each change. */
void store_thread_load_endpoint(struct store_thread *thread, const struct endpoint_name *name);

/* Ends that: no further MESSAGE_ENDPOINT for the endpoint. */
void store_thread_forget_endpoint(struct store_thread *thread, const struct endpoint_name *name);

/* Has the thread store the state of the endpoint's circuit breaker. */
void store_thread_write_breaker(
    struct store_thread *thread, const struct endpoint_name *name, enum breaker_state state);

/* Ask for the endpoint's lease for for_ms: MESSAGE_LEASE; give it back. See courier/lease.h. */
void store_thread_take_lease(struct store_thread *thread, const struct endpoint_name *name, uint32_t for_ms);
void store_thread_give_lease(struct store_thread *thread, const struct endpoint_name *name);

/* Has the thread store the result of a test of the endpoint. */
void store_thread_write_test(
    struct store_thread *thread, const struct endpoint_name *name, const struct attempt_result *result);

/* Asks for a transform: MESSAGE_TRANSFORM. */
void store_thread_load_transform(struct store_thread *thread, const char *tenant_id, const uint8_t transform_id[16]);

/*
 * Asks for a page of the endpoint's rows: MESSAGE_PAGE. A page has at most 500 rows. Rows that are due have their
 * events, with fifo all rows. Events stop at event_bytes, but there is always one.
 */
void store_thread_read_page(
    struct store_thread *thread, const struct endpoint_name *name, const struct page_query *query);

/* Asks for all endpoints of this courier that have rows: MESSAGE_HAS_ROWS for each, then MESSAGE_SCANNED. */
void store_thread_scan(struct store_thread *thread);

/* Announces outcomes on the lane. now: write them, or read changes, without waiting until outcomes are due. */
void store_thread_wake(struct store_thread *thread, bool now);

/* ---- messages for the loop ---- */

/* Takes the oldest message, which the caller frees by message_free(); NULL: none. */
struct message *store_thread_take_message(struct store_thread *thread);

/* Readable while there are messages: store_thread_take_message() clears it when it returns NULL. */
int store_thread_fd(const struct store_thread *thread);

/* ---- life ---- */

/* Starts the thread. config with its secrets and segment are borrowed; courier: its number. 0 or <0. */
int store_thread_start(struct store_thread **thread, const struct config *config, const struct segment *segment,
    uint32_t courier, struct error *err);

/* Whether the thread has been silent longer than its calls may last. The loop then sends no heartbeat. */
bool store_thread_is_stuck(const struct store_thread *thread);

/*
 * Writes the outcomes on the lane until until_us (steady), and ends the thread. false: the thread is still at work, so
 * its resources must not be released.
 */
bool store_thread_stop(struct store_thread *thread, int64_t until_us);

#endif
