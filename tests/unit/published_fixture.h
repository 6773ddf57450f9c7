/* Records of published events with one id, for tests. */
#ifndef TESTS_PUBLISHED_FIXTURE_H
#define TESTS_PUBLISHED_FIXTURE_H

#include "event/record.h"

/* NULL is a null string. */
struct published {
	const char *tenant_id; /* NULL: the default tenant */
	const char *strings[PUBLISHED_STRINGS];
	const char *payload; /* NULL: "null" */
	int64_t occurred_us, received_us;
};

/* Returns the event, with the id 11111111-2222-7333-8444-555566660000, as a sealed record. Release it with free(). */
struct record *published_record(const struct published *published);

#endif
