/*
 * What the loop asks the store thread for, in its order. The loop's thread puts errands in; the store thread looks at
 * the first one, and takes it out when it is fulfilled. The caller has the lock of both.
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
	ERRAND_TELL_BREAKER,
	ERRAND_TELL_TEST,
	ERRAND_TAKE_LEASE,
	ERRAND_GIVE_LEASE,
	ERRAND_LOAD_TRANSFORM,
	ERRAND_READ_PAGE,
	ERRAND_WALK
};

/* The page that is wanted. */
struct page_wish {
	uint8_t after[16]; /* rows behind that job, in the order of job_id; all zero: from the first on */
	uint64_t event_bytes;
	int64_t
	    went_on_us; /* steady: the endpoint has held until then. Rows that began before are not left to parcels */
	bool fifo; /* of an endpoint that keeps an order: rows that have a place, in the order of places */
	int64_t after_seq; /* then also behind that place */
	bool new_alone; /* then others were read before: the page says whether their places can be right */
	bool places; /* then rows without a place get one before, those behind `placed` */
	uint8_t placed[16];
	bool blocks; /* then the page says which orders are stopped */
};

struct errand {
	struct errand *next;
	enum errand_kind kind;
	char *tenant_id; /* of a walk: where it stands */
	bool of_endpoints; /* of a walk: how it goes on (courier/row_walk.h) */
	uint8_t id[16]; /* the endpoint's, or the transform's */
	struct page_wish page; /* of READ_PAGE */
	uint32_t for_ms; /* of TAKE_LEASE */
	enum breaker_state breaker; /* of TELL_BREAKER */
	struct attempt_result *result; /* of TELL_TEST; freed with the errand */
};

/* Made by errands_init(). */
struct errands {
	struct errand *first, **end;
};

void errands_init(struct errands *errands);

/* Adds one, and returns it for its other members. tenant_id is copied; id has 16 bytes, NULL is all zero. */
struct errand *errands_add(struct errands *errands, enum errand_kind kind, const char *tenant_id, const uint8_t *id);

/* Removes the first one, or all of them. */
void errands_remove_first(struct errands *errands);
void errands_clear(struct errands *errands);

#endif
