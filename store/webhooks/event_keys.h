/* The idempotency keys of published events: finds the first event with each key. */
#ifndef STORE_WEBHOOKS_EVENT_KEYS_H
#define STORE_WEBHOOKS_EVENT_KEYS_H

#include "base/error.h"
#include "store/db.h"
#include "store/webhooks/publication.h"

/*
 * Claims the keys of the group's events for 24 hours, in the open transaction. If a key belongs to another event, of
 * this group or of an earlier transaction, the event gets the outcome PUBLISH_KNOWN if both have the same topic and
 * payload, otherwise PUBLISH_CONFLICT. Waits for an open transaction that claims one of the keys. Skips publications
 * that have an outcome. Returns as db_query().
 */
int event_keys_claim(struct db *db, const struct publication_group *group, struct error *err);

#endif
