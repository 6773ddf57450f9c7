/*
 * The bodies of answers to requests that published events, made of their parcels: what was sent is read back from the
 * records, so nothing is kept beside the parcel while a request waits. The parcel is finished or released. Pure.
 */
#ifndef SERVER_PUBLISHED_TEXT_H
#define SERVER_PUBLISHED_TEXT_H

#include <stdbool.h>

#include "base/bytes.h"
#include "shm/lane.h"

/*
 * Appends the event of a parcel of one. status 201: stored, with its job_ids. 200: its key is known; id, created_at and
 * an occurred_at that was not given are those of the first event. 202: spooled.
 */
void published_text_event(struct bytes *out, const struct parcel *parcel, int status);

/*
 * Appends the answer to a batch: an item for each event, with an error where it was not published. It lists the ids of
 * PUBLISH_JOBS_MAX jobs, which are 4 MB; those of later events are null. rejected: members to add, of
 * reply_rejected_members(), or NULL. A parcel of no bytes is an empty batch.
 */
void published_text_batch(struct bytes *out, const struct parcel *parcel, const char *rejected);

/* Whether the tenant of the events, which is one and the same, turned out to be deleted. */
bool published_tenant_is_gone(const struct parcel *parcel);

#endif
