/* Reads the payload of a published event's dead letter. */
#ifndef CLI_DEADLETTER_PUBLISHED_H
#define CLI_DEADLETTER_PUBLISHED_H

#include "base/uuid.h"
#include "event/record.h"

/*
 * Makes a sealed record of a text of dead_letter_payload(), with the event's own id, tenant and times. Release it with
 * free(). NULL: it is no event.
 */
struct record *deadletter_read_published(struct uuid_source *ids, const char *payload);

#endif
