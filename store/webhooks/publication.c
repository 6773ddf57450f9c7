/* Derives values from a record. */
#include "store/webhooks/publication.h"

struct span
publication_tenant(const struct publication *item)
{
	return record_tenant_name(item->record);
}

int64_t
publication_created_ms(const struct record *record)
{
	int64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | record->event_id[i];
	return ms;
}
