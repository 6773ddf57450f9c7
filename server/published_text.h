/*
 * Bodies of answers to requests of published events. They are made from the parcel's records and outcomes, so a waiting
 * request needs no other memory. The parcel is finished or released. Pure.
 */
#ifndef SERVER_PUBLISHED_TEXT_H
#define SERVER_PUBLISHED_TEXT_H

#include <stdbool.h>

#include "base/bytes.h"
#include "shm/lane.h"

/*
 * Appends the event of a parcel with one event. status 201: stored, with its job_ids. 200: its key is known; id,
 * created_at and a missing occurred_at are those of the first event. 202: spooled.
 */
void published_text_event(struct bytes *out, const struct parcel *parcel, int status);

/*
 * Appends the answer to a batch: an item for each event, with an error if it was not published. Lists the ids of at
 * most PUBLISH_JOBS_MAX jobs (4 MB); job_ids of later events are null. rejected: members from reply_rejected_members(),
 * or NULL. A parcel of no bytes is an empty batch.
 */
void published_text_batch(struct bytes *out, const struct parcel *parcel, const char *rejected);

/* Whether the events' tenant (the same for all) is deleted. */
bool published_tenant_is_gone(const struct parcel *parcel);

#endif
