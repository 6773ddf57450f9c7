/*
 * Follows the changes of all nodes for one courier: tenants whose routing has changed, endpoints of this courier that
 * have changed. Also reads an endpoint when the loop asks for it. For the store thread.
 */
#ifndef COURIER_FOLLOWER_H
#define COURIER_FOLLOWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "courier/job_marker.h"
#include "courier/messages.h"
#include "courier/page_reader.h"
#include "shm/segment.h"
#include "store/db.h"

struct follower;

/* config with its secrets, segment, messages and marker are borrowed; courier: its number. Never NULL. */
struct follower *follower_new(const struct config *config, const struct segment *segment, uint32_t courier,
    struct message_queue *messages, struct job_marker *marker);
void follower_free(struct follower *follower);

/* Reads the endpoint and sends MESSAGE_ENDPOINT, now and after each change. As db_query(). */
int follower_load(
    struct follower *follower, struct db *db, const char *tenant_id, const uint8_t endpoint_id[16], struct error *err);

/* Stops reporting its changes. */
void follower_forget(struct follower *follower, const uint8_t endpoint_id[16]);

/* Whether a followed endpoint has fifo. */
bool follower_knows_fifo(const struct follower *follower);

/*
 * Takes the marks of a page of the endpoint's rows behind `after`. If they do not match the endpoint, the marker gets
 * work.
 */
void follower_note_page(
    struct follower *follower, const uint8_t endpoint_id[16], const uint8_t after[16], const struct page_marks *marks);

/* Whether deliveries of the tenant are paused, by the last MESSAGE_PAUSED. */
bool follower_has_paused(const struct follower *follower, const char *tenant_id);

/*
 * look_anew(): the next step looks even if the version is unchanged. has_looked(): that look was made, and all that it
 * found was reported.
 */
void follower_look_anew(struct follower *follower);
bool follower_has_looked(const struct follower *follower);

/* When to call follower_step() next, by the steady clock: at once, or at the next look. */
int64_t follower_due_us(const struct follower *follower);

/*
 * A step does one of three things. It looks for changes, and sends MESSAGE_NODES when nodes have come or gone,
 * MESSAGE_SEEN, MESSAGE_PAUSED when pauses have changed, and MESSAGE_TEST for each new test. Or it looks at some
 * changed tenants, and sends MESSAGE_HAS_ROWS for each endpoint that has rows. Or it reads some changed endpoints.
 * After the last of them it sends MESSAGE_CHANGED. As db_query(); after any result but 0 the step must be repeated.
 */
int follower_step(struct follower *follower, struct db *db, struct error *err);

#endif
