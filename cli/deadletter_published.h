/* The payload of a published event's dead letter, as a record again. */
#ifndef CLI_DEADLETTER_PUBLISHED_H
#define CLI_DEADLETTER_PUBLISHED_H

#include "base/uuid.h"
#include "event/record.h"

/*
 * Reads what dead_letter_payload() wrote as a sealed record: with the event's own id, tenant and times. To be released
 * with free(). NULL: it is no event.
 */
struct record *deadletter_read_published(struct uuid_source *ids, const char *payload);

#endif
