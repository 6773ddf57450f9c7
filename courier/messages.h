/*
 * Messages from the store thread to the loop, one queue in order: the loop takes a page that was read before a commit
 * before it learns of the commit. One thread puts messages in, one takes them out.
 */
#ifndef COURIER_MESSAGES_H
#define COURIER_MESSAGES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "courier/endpoint_config.h"
#include "courier/pauses.h"
#include "courier/share.h"
#include "event/record.h"
#include "event/transform.h"

enum message_kind {
	/* The predecessor's outcomes are written and the node has a row, of `epoch`: requests are served from now. */
	MESSAGE_STARTED,
	MESSAGE_COMMITTED, /* outcomes up to lane position `released` */
	MESSAGE_REFUSED, /* the store refuses the outcome at `position` of job `id` in every form */
	MESSAGE_ENDPOINT, /* config; NULL: there is no such endpoint, or it is deleted */
	MESSAGE_TRANSFORM, /* transform; NULL: it is not there or cannot be read */
	MESSAGE_PAGE,
	MESSAGE_HAS_ROWS, /* the endpoint has rows */
	MESSAGE_HAS_PLACE, /* the endpoint, which has fifo, has a row of the place `seq` */
	MESSAGE_CANCELLED, /* the job: its row was removed */
	MESSAGE_TEST, /* a single attempt at the endpoint `config`, with the event in `memory` */
	MESSAGE_SCANNED,
	MESSAGE_PAUSED, /* pauses: these replace the former ones */
	MESSAGE_LEASE, /* answer to a request for the endpoint's lease: `given` */
	MESSAGE_NODES, /* view: the number of nodes, and this one's rank */
	MESSAGE_SEEN, /* all other nodes act by changes.version `version`; INT64_MAX: there is none */
	MESSAGE_CHANGED, /* all changes up to changes.version `version` have been sent */
	MESSAGE_NODE_LOST /* another node has the row: forget all jobs; MESSAGE_STARTED follows with a new row */
};

struct page_row {
	uint8_t job_id[16], event_id[16], transform_id[16];
	uint32_t attempt_count, attempt_base;
	int64_t fifo_seq; /* 0 in pages by job_id */
	int64_t due_us; /* steady clock, from the row's distance to the database's now */
	int64_t expires_us; /* the same; INT64_MIN: held, does not expire */
	bool event_gone; /* the job's event is gone */
	bool awaits_parcel; /* a parcel may still bring it: it is not taken yet */
	bool overtakes_parcel; /* it is taken although a parcel may bring it: that one is too late */
	const struct record *event; /* of the page's memory; NULL: awaits_parcel, not due within PAGE_AHEAD_US, or the
				     * page was full. With fifo: only because the page was full */
};

#define PAGE_ROWS 500
#define PAGE_STOPPED 1000
#define PAGE_AHEAD_US (60 * INT64_C(1000000))
#define PARCEL_WAIT_US (5 * INT64_C(1000000)) /* a row without attempts is taken at this age */

struct message {
	struct message *next;
	enum message_kind kind;
	char *tenant_id; /* of ENDPOINT, TRANSFORM, PAGE, HAS_ROWS, HAS_PLACE, CANCELLED, TEST, LEASE */
	uint8_t id[16]; /* the endpoint's, the transform's, or of REFUSED and CANCELLED the job's */
	uint8_t attempt_id[16]; /* of TEST: the id for the attempt */
	struct endpoint_config *config; /* of ENDPOINT, TEST */
	struct transform *transform;
	uint32_t released, position; /* of COMMITTED; of REFUSED: what lane_publish() returned */
	/*
	 * version: of SEEN and CHANGED; of ENDPOINT: a node that acts by it knows this configuration, 0: the limits are
	 * as before, or the first ones sent. epoch: of STARTED. seq: of HAS_PLACE.
	 */
	int64_t version, epoch, seq;
	struct pauses pauses; /* of PAUSED */
	struct share_view view; /* of NODES */
	struct page_row *rows; /* of PAGE */
	uint32_t row_count;
	int64_t took_us; /* of PAGE: time that the store needed */
	int64_t begun_us; /* of LEASE: CLOCK_BOOTTIME before asking the store */
	bool given; /* of LEASE */
	bool by_scan; /* of HAS_ROWS: found by a scan; rows may have come from another node */
	bool last; /* of PAGE: no row follows */
	bool fifo; /* of PAGE: in the order of places */
	bool placed; /* of PAGE, with fifo: rows got places first, as asked */
	bool other_sender; /* of PAGE, with fifo: another node sends to the endpoint; there are no rows */
	bool places_lowered; /* of PAGE, with fifo: new rows may stand before those of earlier pages; there are no rows
			      */
	char *stopped; /* of PAGE, with fifo: ordering keys whose orders are stopped, a NUL behind each; NULL: none */
	uint32_t stopped_count; /* PAGE_STOPPED: perhaps more, so none of the endpoint's orders goes on */
	bool unreadable; /* of PAGE: the store refuses to read the rows (logged); there are none */
	char *memory; /* of PAGE: the rows' events; of TEST: the record */
};

struct message_queue {
	pthread_mutex_t lock;
	struct message *first, **end;
	int fd; /* eventfd: readable while there are messages */
};

/* 0 or <0. The queue must not move; message_queue_close() frees its messages. */
int message_queue_open(struct message_queue *queue, struct error *err);
void message_queue_close(struct message_queue *queue);

/* Makes a message about an object of a tenant. tenant_id is copied; both may be NULL. Never NULL. */
struct message *message_new(enum message_kind kind, const char *tenant_id, const uint8_t *id);

/* Puts the message at the end; the queue owns it. */
void message_queue_put(struct message_queue *queue, struct message *message);

/* The oldest message, which the caller frees. NULL: there are none, and the descriptor is not readable any more. */
struct message *message_queue_take(struct message_queue *queue);

/* Frees the message with all members. A caller that takes a member sets it to NULL, or pauses to empty. */
void message_free(struct message *message);

#endif
