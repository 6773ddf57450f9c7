/*
 * Follows the changes of all nodes for one courier: whose routing has moved, which endpoints of this courier are not
 * what they were. Also reads an endpoint when the loop asks for it. For the store thread.
 */
#ifndef COURIER_FOLLOWER_H
#define COURIER_FOLLOWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "courier/holder.h"
#include "courier/news.h"
#include "courier/page_reader.h"
#include "shm/segment.h"
#include "store/db.h"

struct follower;

/* config with its secrets, segment, news and holder are borrowed; courier: this one's number. Never NULL. */
struct follower *follower_new(const struct config *config, const struct segment *segment, uint32_t courier,
    struct news_queue *news, struct holder *holder);
void follower_free(struct follower *follower);

/* Reads the endpoint, tells it as NEWS_ENDPOINT, and tells its changes from now on. As db_query(). */
int follower_load(
    struct follower *follower, struct db *db, const char *tenant_id, const uint8_t endpoint_id[16], struct error *err);

/* Its changes are not told any more. */
void follower_forget(struct follower *follower, const uint8_t endpoint_id[16]);

/* Whether one of the endpoints whose changes are told has fifo. */
bool follower_knows_fifo(const struct follower *follower);

/*
 * A page of the endpoint, behind that job, has such rows: when they are not marked as the endpoint is, the holder gets
 * work.
 */
void follower_note_page(
    struct follower *follower, const uint8_t endpoint_id[16], const uint8_t after[16], const struct page_marks *marks);

/* Whether deliveries of the tenant are paused, as has been told last. */
bool follower_has_paused(const struct follower *follower, const char *tenant_id);

/* The next step looks, whatever the version is. The second: whether it has, and has told everything that it found. */
void follower_look_anew(struct follower *follower);
bool follower_has_looked(const struct follower *follower);

/* When follower_step() is to be called next, by the steady clock: at once, or at the next look. */
int64_t follower_due_us(const struct follower *follower);

/*
 * A step: looks whether there are changes, and tells NEWS_NODES when nodes have come or gone, NEWS_SEEN, NEWS_PAUSED
 * when pauses have changed, and NEWS_TEST for each new test; or looks at some of the tenants that have changed, and
 * tells NEWS_HAS_ROWS for each endpoint that has rows; or reads some of the endpoints that have changed. When all of
 * them are told it tells NEWS_CHANGED. As db_query(); after any result but 0 the step is to be done again.
 */
int follower_step(struct follower *follower, struct db *db, struct error *err);

#endif
