/*
 * Requests of the loop to the store thread, in order. The loop's thread adds errands; the store thread works on the
 * first one, and removes it when it is fulfilled. The caller holds the store thread's lock.
 */
#ifndef COURIER_ERRANDS_H
#define COURIER_ERRANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/attempt.h"
#include "courier/breaker.h"

enum errand_kind {
	ERRAND_LOAD_ENDPOINT,
	ERRAND_FORGET_ENDPOINT,
	ERRAND_WRITE_BREAKER,
	ERRAND_WRITE_TEST,
	ERRAND_TAKE_LEASE,
	ERRAND_GIVE_LEASE,
	ERRAND_LOAD_TRANSFORM,
	ERRAND_READ_PAGE,
	ERRAND_WALK
};

/* The page that the loop wants. */
struct page_query {
	uint8_t after[16]; /* read rows behind that job_id; all zero: from the first */
	uint64_t event_bytes;
	int64_t went_on_us; /* steady: the endpoint held its jobs until then; older rows come by no parcel */
	bool fifo; /* the endpoint keeps an order: read rows that have a place, by place */
	int64_t after_seq; /* with fifo: read behind that place too */
	bool new_alone; /* with fifo: only new rows; the page sets `edited` if places have gone back */
	bool places; /* with fifo: first give places to rows behind `placed` that have none */
	uint8_t placed[16];
	bool blocks; /* with fifo: report which orders are stopped */
};

struct errand {
	struct errand *next;
	enum errand_kind kind;
	char *tenant_id; /* of a walk: where it stands */
	bool of_endpoints; /* of a walk: see courier/row_walk.h */
	uint8_t id[16]; /* the endpoint's, or the transform's */
	struct page_query page; /* of READ_PAGE */
	uint32_t for_ms; /* of TAKE_LEASE */
	enum breaker_state breaker; /* of WRITE_BREAKER */
	struct attempt_result *result; /* of WRITE_TEST; freed with the errand */
};

/* Made by errands_init(). */
struct errands {
	struct errand *first, **end;
};

void errands_init(struct errands *errands);

/* Adds an errand; the caller sets its other members. tenant_id is copied; id has 16 bytes, NULL: all zero. */
struct errand *errands_add(struct errands *errands, enum errand_kind kind, const char *tenant_id, const uint8_t *id);

/* Removes the first one, or all of them. */
void errands_remove_first(struct errands *errands);
void errands_clear(struct errands *errands);

#endif
