/*
 * The transforms of the jobs in memory. Each is loaded once, however many jobs share it; recently used ones are kept
 * after their last job. The loop's thread alone calls these functions.
 */
#ifndef COURIER_TRANSFORM_CACHE_H
#define COURIER_TRANSFORM_CACHE_H

#include <stdint.h>
#include <sys/queue.h>

#include "base/span.h"
#include "courier/id_table.h"
#include "courier/store_thread.h"
#include "event/transform.h"

/* UNREADABLE: it does not exist or cannot be read. */
enum transform_state { TRANSFORM_LOADING, TRANSFORM_LOADED, TRANSFORM_UNREADABLE };

struct job;
TAILQ_HEAD(job_list, job);

struct shared_transform {
	struct id_link link;
	char *tenant_id;
	enum transform_state state;
	struct transform *transform; /* of LOADED */
	uint64_t bytes; /* its memory */
	uint32_t references; /* jobs */
	struct job_list parked; /* jobs waiting until it is loaded: courier/jobs.c */
	TAILQ_ENTRY(shared_transform) unused; /* linked while there are no references */
};

struct transform_cache {
	struct id_table table;
	TAILQ_HEAD(unused_transforms, shared_transform) unused; /* most recently used last */
	uint32_t unused_count;
	uint64_t bytes;
	struct store_thread *thread;
};

/* thread is borrowed. */
void transform_cache_open(struct transform_cache *cache, struct store_thread *thread);

/* No job may have a transform any more. */
void transform_cache_close(struct transform_cache *cache);

/* Takes a reference to the tenant's transform for a job. Asks the store thread for it if it is not cached. */
struct shared_transform *transform_cache_ref(
    struct transform_cache *cache, struct span tenant_id, const uint8_t transform_id[16]);

/* Drops the reference. NULL is allowed. */
void transform_cache_unref(struct transform_cache *cache, struct shared_transform *shared);

/*
 * MESSAGE_TRANSFORM: takes the transform out of the message. Returns the transform whose parked jobs can go on; NULL:
 * no job waits for it.
 */
struct shared_transform *transform_cache_loaded(struct transform_cache *cache, struct message *message);

#endif
