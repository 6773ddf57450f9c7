/* The idempotency keys of published events: which event of those that have a key was the first one. */
#ifndef STORE_WEBHOOKS_EVENT_KEYS_H
#define STORE_WEBHOOKS_EVENT_KEYS_H

#include "base/error.h"
#include "store/db.h"
#include "store/webhooks/publication.h"

/*
 * Remembers, in the transaction that db_begin() began, for 24 hours that the keys of the group's events are theirs. An
 * event whose key is another event's, of this group or of an earlier transaction, gets the outcome PUBLISH_KNOWN when
 * both have the same topic and payload, else PUBLISH_CONFLICT. A transaction that is about to claim one of the keys is
 * waited for. Publications whose outcome is known are passed over. Returns as db_query().
 */
int event_keys_claim(struct db *db, const struct publication_group *group, struct error *err);

#endif
