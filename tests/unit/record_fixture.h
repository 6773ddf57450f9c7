/* Records of hook events, for tests of a writer's output. */
#ifndef TESTS_RECORD_FIXTURE_H
#define TESTS_RECORD_FIXTURE_H

#include "event/record.h"

/* The fields in which test records differ. NULL is a null string; data of NULL is "{}". */
struct event {
	uint8_t id; /* the UUID's last byte; the others are 0x11, 0x22, ... 0xff */
	uint8_t flags;
	int64_t timestamp_us;
	int64_t received_us;
	const char *client_event_id;
	const char *event_type;
	const char *session_id;
	const char *workflow_id;
	const char *phase_id;
	const char *milestone_id;
	const char *tenant_id; /* NULL: the default tenant */
	const char *data;
};

/* Returns the event as a sealed record. Release it with free(). */
struct record *record_of(const struct event *event);

#endif
