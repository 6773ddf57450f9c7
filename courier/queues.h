/*
 * The endpoints that a courier knows, and their tenants. An endpoint stays while it has jobs in memory or rows to be
 * read, and for ten minutes more. The loop's thread alone calls these functions.
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
	TAILQ_HEAD(unused_queues, queue) unused; /* longest unused first */
	struct store_thread *thread;
	int64_t opened_us;
	uint32_t breakers[BREAKER_HALF_OPEN + 1]; /* number of endpoints by written_breaker */
};

/* thread is borrowed. */
void queues_open(struct queues *queues, struct store_thread *thread);

/* Forgets all endpoints, which must have no jobs. */
void queues_close(struct queues *queues);

/* Finds the tenant's endpoint with that id; NULL: it is not known. */
struct queue *queues_find(const struct queues *queues, struct span tenant_id, const uint8_t endpoint_id[16]);

/* The same, but makes it if it is not known. */
struct queue *queues_get(struct queues *queues, struct span tenant_id, const uint8_t endpoint_id[16], int64_t now_us);

/* The endpoint's name for the store thread. The tenant's id is borrowed. */
struct endpoint_name queues_name(const struct queue *queue);

/* Ask for its configuration: the first only if it was not asked for yet, the second again. */
void queues_load(struct queues *queues, struct queue *queue);
void queues_read_anew(struct queues *queues, const struct queue *queue);

/*
 * MESSAGE_ENDPOINT: takes the configuration out of the message. Returns the endpoint; NULL: its configuration was not
 * asked for.
 */
struct queue *queues_loaded(struct queues *queues, struct message *message, int64_t now_us);

/* Has the store thread store the breaker's state, if it has changed. Call it after each function of breaker.h. */
void queues_write_breaker(struct queues *queues, struct queue *queue);

/*
 * MESSAGE_PAUSED: takes the pauses out of the message, and applies them to all tenants, including later ones. The
 * caller updates the endpoints.
 */
void queues_pause(struct queues *queues, struct message *message, int64_t now_us);

/*
 * queues_forget_unused() forgets endpoints that were unused for ten minutes: those without jobs and rows altogether,
 * those with rows to be read later only as to their configuration. It keeps an endpoint that holds, because a message
 * must report when it goes on. Call queues_note_use() when an endpoint becomes used or unused.
 */
void queues_note_use(struct queues *queues, struct queue *queue, int64_t now_us);
void queues_forget_unused(struct queues *queues, int64_t now_us);

#endif
