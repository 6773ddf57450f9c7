/* An event's bytes count once, in jobs->bytes. */
#include "courier/event_copy.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct event_copy *
event_copy_new(struct jobs *jobs, const uint8_t event_id[16], const struct record *record)
{
	uint64_t bytes = sizeof(struct event_copy) + (record == NULL ? 0 : record->length);
	struct event_copy *copy = mem_new(1, bytes);

	*copy = (struct event_copy){.references = 1, .bytes = bytes};
	memcpy(copy->event_id, event_id, sizeof copy->event_id);
	if (record != NULL)
		copy->record = memcpy(copy + 1, record, record->length);
	jobs->bytes += bytes;
	return copy;
}

void
event_copy_unref(struct jobs *jobs, struct event_copy *event)
{
	assert(event->references > 0);
	if (--event->references > 0)
		return;
	jobs->bytes -= event->bytes;
	free(event);
}
