/*
 * Requests of the loop to the store thread, in order. The loop's thread adds requests; the store thread works on the
 * first one, and removes it when it is fulfilled. The caller holds the store thread's lock.
 */
#ifndef COURIER_STORE_REQUESTS_H
#define COURIER_STORE_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/attempt.h"
#include "courier/breaker.h"

enum store_request_kind {
	STORE_REQUEST_LOAD_ENDPOINT,
	STORE_REQUEST_FORGET_ENDPOINT,
	STORE_REQUEST_WRITE_BREAKER,
	STORE_REQUEST_WRITE_TEST,
	STORE_REQUEST_TAKE_LEASE,
	STORE_REQUEST_GIVE_LEASE,
	STORE_REQUEST_LOAD_TRANSFORM,
	STORE_REQUEST_READ_PAGE,
	STORE_REQUEST_SCAN
};

/* The page that the loop wants. */
struct page_query {
	uint8_t after[16]; /* read rows behind that job_id; all zero: from the first */
	uint64_t event_bytes;
	int64_t resumed_us; /* steady: the endpoint held its jobs until then; older rows come by no parcel */
	bool fifo; /* the endpoint keeps an order: read rows that have a place, by place */
	int64_t after_seq; /* with fifo: read behind that place too */
	bool new_only; /* with fifo: only new rows; the page sets places_lowered if places have gone back */
	bool places; /* with fifo: first give places to rows behind `placed` that have none */
	uint8_t placed[16];
	bool blocks; /* with fifo: report which orders are stopped */
};

struct store_request {
	struct store_request *next;
	enum store_request_kind kind;
	char *tenant_id; /* of a scan: where it stands */
	bool of_endpoints; /* of a scan: see courier/row_scan.h */
	uint8_t id[16]; /* the endpoint's, or the transform's */
	struct page_query page; /* of READ_PAGE */
	uint32_t for_ms; /* of TAKE_LEASE */
	enum breaker_state breaker; /* of WRITE_BREAKER */
	struct attempt_result *result; /* of WRITE_TEST; freed with the request */
};

/* Made by store_requests_init(). */
struct store_requests {
	struct store_request *first, **end;
};

void store_requests_init(struct store_requests *requests);

/* Adds a request; the caller sets its other members. tenant_id is copied; id has 16 bytes, NULL: all zero. */
struct store_request *store_requests_add(
    struct store_requests *requests, enum store_request_kind kind, const char *tenant_id, const uint8_t *id);

/* Removes the first one, or all of them. */
void store_requests_remove_first(struct store_requests *requests);
void store_requests_clear(struct store_requests *requests);

#endif
