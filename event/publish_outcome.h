/*
 * What became of one published event. On the ring it stands before the event's record, outside its checksum: the
 * publisher writes it once that is committed, and the acceptor reads it to answer the request when the parcel is
 * finished or released. Zero until then, but for waits, which is the publisher's own.
 */
#ifndef EVENT_PUBLISH_OUTCOME_H
#define EVENT_PUBLISH_OUTCOME_H

#include <stdint.h>

/*
 * KNOWN: its idempotency key belongs to the event of event_id, which has the same topic and payload. CONFLICT: that one
 * has others; nothing was stored. GONE: its tenant is deleted; nothing was stored. DEAD: the store refused it for good.
 * TOO_MANY: the events before it in its request make as many jobs as one request may; nothing was stored.
 */
enum publish_result {
	PUBLISH_STORED = 1,
	PUBLISH_KNOWN,
	PUBLISH_CONFLICT,
	PUBLISH_GONE,
	PUBLISH_DEAD,
	PUBLISH_TOO_MANY
};

/* Jobs that the events of one request make. Its first event that makes any is taken whatever their number. */
#define PUBLISH_JOBS_MAX 100000u

struct publish_outcome {
	uint32_t result; /* enum publish_result */
	uint32_t jobs; /* of a stored event: job k has the event's id + k, k from 1 to jobs */
	uint8_t event_id[16]; /* of KNOWN and CONFLICT: the first event */
	uint32_t fresh; /* STORED, and not by an earlier attempt whose success nobody has learned of */
	uint32_t waits; /* of result 0: not 0 when another session was in the way as the publisher tried it last */
};

_Static_assert(sizeof(struct publish_outcome) == 32, "records behind it stay aligned");

#endif
