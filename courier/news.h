/*
 * What the store thread tells the loop, as one queue in the order in which it happened: a page that was read before an
 * outcome was committed is taken before the loop learns of the commit. One thread puts news in, one takes them out.
 */
#ifndef COURIER_NEWS_H
#define COURIER_NEWS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "courier/endpoint_config.h"
#include "courier/pauses.h"
#include "courier/share.h"
#include "event/record.h"
#include "event/transform.h"

enum news_kind {
	NEWS_STARTED, /* what the predecessor left on the lane is written; the node has a row, of `epoch`: errands are
			 fulfilled */
	NEWS_COMMITTED, /* outcomes up to lane position `released` */
	NEWS_REFUSED, /* the store takes the outcome at `position` of job `id` in no form: the row stays as it is */
	NEWS_ENDPOINT, /* config; NULL: there is no such endpoint, or it is deleted */
	NEWS_TRANSFORM, /* transform; NULL: it is not there or cannot be read */
	NEWS_PAGE,
	NEWS_HAS_ROWS, /* the endpoint has */
	NEWS_HAS_PLACE, /* the endpoint, which has fifo, has a row of the place `seq` */
	NEWS_CANCELLED, /* the job, whose row somebody has removed */
	NEWS_TEST, /* one attempt at the endpoint, as it is by config, with the event in memory */
	NEWS_WALKED,
	NEWS_PAUSED, /* pauses: whose deliveries are paused from now on, and whose are not any more */
	NEWS_LEASE, /* the endpoint's, which was asked for: whether it is given */
	NEWS_NODES, /* view: the nodes of which this one is, and its place among them */
	NEWS_SEEN, /* all other nodes act by changes.version `version`; INT64_MAX: there is none */
	NEWS_CHANGED, /* everything up to changes.version `version` has been told before */
	NEWS_NODE_LOST /* the node's row is another's: forget all jobs; NEWS_STARTED follows when it has another row */
};

struct page_row {
	uint8_t job_id[16], event_id[16], transform_id[16];
	uint32_t attempt_count, attempt_base;
	int64_t fifo_seq; /* 0 in pages by job_id */
	int64_t due_us; /* steady clock: the row's distance to the database's now, added to ours */
	int64_t expires_us; /* the same; INT64_MIN: it does not expire while it is held */
	bool event_gone; /* the job's event is nowhere any more */
	bool young; /* a parcel may still bring it: it is left for now */
	bool outruns; /* it is as young, and is taken all the same: a parcel that brings it is too late */
	const struct record
	    *event; /* of the page's memory; NULL: young, not due within PAGE_AHEAD_US, or the page was full. With
		     * fifo: only because the page was full */
};

#define PAGE_ROWS 500
#define PAGE_STOPPED 1000
#define PAGE_AHEAD_US (60 * INT64_C(1000000))
#define YOUNG_ROW_US (5 * INT64_C(1000000)) /* a row that was never attempted is taken when it is that old */

struct news {
	struct news *next;
	enum news_kind kind;
	char *tenant_id; /* of ENDPOINT, TRANSFORM, PAGE, HAS_ROWS, HAS_PLACE, CANCELLED, TEST, LEASE */
	uint8_t id[16]; /* the endpoint's, the transform's, or of REFUSED and CANCELLED the job's */
	uint8_t attempt_id[16]; /* of TEST: what the attempt's is to be */
	struct endpoint_config *config; /* of ENDPOINT, TEST */
	struct transform *transform;
	uint32_t released, position; /* of COMMITTED; of REFUSED: what lane_publish() returned */
	/*
	 * Of SEEN, of CHANGED; of ENDPOINT: nodes that act by it know this configuration, 0: its limits are as before,
	 * or the first that are told. Of STARTED: the row's. Of HAS_PLACE.
	 */
	int64_t version, epoch, seq;
	struct pauses pauses; /* of PAUSED */
	struct share_view view; /* of NODES */
	struct page_row *rows; /* of PAGE */
	uint32_t row_count;
	int64_t took_us; /* of PAGE: the store needed so long for the rows */
	int64_t begun_us; /* of LEASE: CLOCK_BOOTTIME before the store was asked */
	bool given; /* of LEASE */
	bool walked; /* of HAS_ROWS: a walk has found it, and rows may have come from another node */
	bool last; /* of PAGE: no row stands behind these */
	bool fifo; /* of PAGE: in the order of places */
	bool placed; /* of PAGE, with fifo: as was wished, rows have got places before */
	bool elsewhere; /* of PAGE, with fifo: another node sends what the endpoint gets; there are no rows */
	bool edited; /* of PAGE, with fifo: new rows may stand before those of earlier pages; there are no rows */
	char *stopped; /* of PAGE, with fifo: ordering keys whose orders are stopped, a NUL behind each; NULL: none */
	uint32_t stopped_count; /* PAGE_STOPPED: there are more, and none of the endpoint's orders goes on */
	bool unreadable; /* of PAGE: the store refuses to read the rows, which has been logged; there are none */
	char *memory; /* of PAGE: the rows' events; of TEST: the record */
};

struct news_queue {
	pthread_mutex_t lock;
	struct news *first, **end;
	int fd; /* eventfd: readable while there are news */
};

/* 0 or <0. The queue stays where it is; news_close() frees what is in it. */
int news_open(struct news_queue *queue, struct error *err);
void news_close(struct news_queue *queue);

/* New, of that kind, about an object of a tenant. tenant_id is copied; both may be NULL. Never NULL. */
struct news *news_new(enum news_kind kind, const char *tenant_id, const uint8_t *id);

/* Puts it at the end; the queue owns it. */
void news_put(struct news_queue *queue, struct news *news);

/* The oldest, which the caller frees. NULL: there are none, and the descriptor is not readable any more. */
struct news *news_take(struct news_queue *queue);

/* Frees it with everything that it still has: the caller takes members out by setting them to NULL,
 * and pauses by making them empty. */
void news_free(struct news *news);

#endif
