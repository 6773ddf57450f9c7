/*
 * The transforms of the jobs in memory: each is loaded once, however many jobs have it, and the ones that were used
 * last are kept when no job has them any more. The loop's thread alone calls these functions.
 */
#ifndef COURIER_TRANSFORM_CACHE_H
#define COURIER_TRANSFORM_CACHE_H

#include <stdint.h>
#include <sys/queue.h>

#include "base/span.h"
#include "courier/id_table.h"
#include "courier/store_thread.h"
#include "event/transform.h"

/* UNREADABLE: it is not there, or it cannot be read. */
enum transform_state { TRANSFORM_LOADING, TRANSFORM_LOADED, TRANSFORM_UNREADABLE };

struct job;
TAILQ_HEAD(job_list, job);

struct shared_transform {
	struct id_link link;
	char *tenant_id;
	enum transform_state state;
	struct transform *transform; /* of LOADED */
	uint64_t bytes; /* memory that it takes */
	uint32_t references; /* jobs */
	struct job_list parked; /* jobs that wait until it is loaded: courier/jobs.c */
	TAILQ_ENTRY(shared_transform) unused; /* while there are no references */
};

struct transform_cache {
	struct id_table table;
	TAILQ_HEAD(unused_transforms, shared_transform) unused; /* the one that was used last stands last */
	uint32_t unused_count;
	uint64_t bytes;
	struct store_thread *thread;
};

/* thread is borrowed. */
void transform_cache_open(struct transform_cache *cache, struct store_thread *thread);

/* No job has one any more. */
void transform_cache_close(struct transform_cache *cache);

/* The tenant's transform with that id, for one more job; the store thread is asked for it if it is not there. */
struct shared_transform *transform_cache_take(
    struct transform_cache *cache, struct span tenant_id, const uint8_t transform_id[16]);

/* A job has it no more. NULL is allowed. */
void transform_cache_give(struct transform_cache *cache, struct shared_transform *shared);

/*
 * NEWS_TRANSFORM: takes what the news hold. Returns the transform, whose parked jobs can go on, or NULL when nobody
 * waits for it.
 */
struct shared_transform *transform_cache_loaded(struct transform_cache *cache, struct news *news);

#endif
