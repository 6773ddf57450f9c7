/*
 * The outcome of one published event. On the ring it precedes the event's record, outside its checksum. The publisher
 * writes it after committing the event; the acceptor reads it when the parcel is finished or released, and answers the
 * request. Until then it is zero, except waits, which only the publisher uses.
 */
#ifndef EVENT_PUBLISH_OUTCOME_H
#define EVENT_PUBLISH_OUTCOME_H

#include <stdint.h>

/*
 * KNOWN: event event_id has the same idempotency key, topic and payload. CONFLICT: event event_id has the same key but
 * another topic or payload; nothing was stored. GONE: the tenant is deleted; nothing was stored. DEAD: the store
 * refused the event for good. TOO_MANY: earlier events of the request already made as many jobs as allowed; nothing was
 * stored.
 */
enum publish_result {
	PUBLISH_STORED = 1,
	PUBLISH_KNOWN,
	PUBLISH_CONFLICT,
	PUBLISH_GONE,
	PUBLISH_DEAD,
	PUBLISH_TOO_MANY
};

/* The most jobs of one request's events. The first event with jobs is accepted whatever their number. */
#define PUBLISH_JOBS_MAX 100000u

struct publish_outcome {
	uint32_t result; /* enum publish_result */
	uint32_t jobs; /* of a stored event: its jobs have the ids event_id + 1 to event_id + jobs */
	uint8_t event_id[16]; /* KNOWN, CONFLICT: the first event with the key */
	uint32_t fresh; /* STORED by this attempt, not by an earlier one that committed without being answered */
	uint32_t waits; /* with result 0: not 0 if another session blocked the publisher's last attempt */
};

_Static_assert(sizeof(struct publish_outcome) == 32, "records behind it stay aligned");

#endif
