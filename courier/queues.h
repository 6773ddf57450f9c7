/*
 * The endpoints that a courier knows of, and their tenants. An endpoint is here while it has jobs in memory or rows to
 * be read, and for ten minutes more. The loop's thread alone calls these functions.
 */
#ifndef COURIER_QUEUES_H
#define COURIER_QUEUES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/span.h"
#include "courier/id_table.h"
#include "courier/pauses.h"
#include "courier/queue.h"
#include "courier/store_thread.h"

struct queues {
	struct id_table table, tenants;
	struct pauses pauses;
	TAILQ_HEAD(unused_queues, queue) unused; /* the one that is unused for longest stands first */
	struct store_thread *thread;
	int64_t opened_us;
	uint32_t breakers[BREAKER_HALF_OPEN + 1]; /* endpoints, by what the store thread was told of their breaker */
};

/* thread is borrowed. */
void queues_open(struct queues *queues, struct store_thread *thread);

/* Forgets all of them. They have no jobs. */
void queues_close(struct queues *queues);

/* The tenant's endpoint with that id; NULL: it is not known. */
struct queue *queues_find(const struct queues *queues, struct span tenant_id, const uint8_t endpoint_id[16]);

/* The same; it is made if it is not known. */
struct queue *queues_get(struct queues *queues, struct span tenant_id, const uint8_t endpoint_id[16], int64_t now_us);

/* For the store thread. The tenant's id is borrowed. */
struct endpoint_name queues_name(const struct queue *queue);

/* Asks for its configuration: the first unless that is there or was asked for, the second anew. */
void queues_load(struct queues *queues, struct queue *queue);
void queues_read_anew(struct queues *queues, const struct queue *queue);

/*
 * NEWS_ENDPOINT: takes the configuration out of the news. Returns the endpoint, or NULL when its configuration was not
 * asked for.
 */
struct queue *queues_loaded(struct queues *queues, struct news *news, int64_t now_us);

/* Has the store thread write down what the breaker is, if that is news. Call it after each function of breaker.h. */
void queues_tell_breaker(struct queues *queues, struct queue *queue);

/*
 * NEWS_PAUSED: takes the pauses out of the news. Tenants are paused as these say, also those that come later. What
 * follows for endpoints is the caller's affair.
 */
void queues_pause(struct queues *queues, struct news *news, int64_t now_us);

/*
 * Forgets what nothing has kept for ten minutes: an endpoint without jobs or rows, and of one with rows that are to be
 * read later its configuration. An endpoint that holds is kept: the news that it goes on must come. Call
 * queues_kept() when something keeps an endpoint, or does so no more.
 */
void queues_kept(struct queues *queues, struct queue *queue, int64_t now_us);
void queues_forget_unused(struct queues *queues, int64_t now_us);

#endif
