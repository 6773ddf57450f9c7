/*
 * What became of one published event. On the ring it stands before the event's record, outside its checksum: the
 * publisher writes it before it releases the parcel, and the acceptor reads it to answer the request. Zero until then.
 */
#ifndef EVENT_PUBLISH_OUTCOME_H
#define EVENT_PUBLISH_OUTCOME_H

#include <stdint.h>

/*
 * KNOWN: its idempotency key belongs to the event of event_id, which has the same topic and payload. CONFLICT: that one
 * has others; nothing was stored. GONE: its tenant is deleted; nothing was stored. DEAD: the store refused it for good.
 */
enum publish_result { PUBLISH_STORED = 1, PUBLISH_KNOWN, PUBLISH_CONFLICT, PUBLISH_GONE, PUBLISH_DEAD };

struct publish_outcome {
	uint32_t result; /* enum publish_result */
	uint32_t jobs; /* of a stored event: job k has the event's id + k, k from 1 to jobs */
	uint8_t event_id[16]; /* of KNOWN and CONFLICT: the first event */
	uint64_t reserved;
};

_Static_assert(sizeof(struct publish_outcome) == 32, "records behind it stay aligned");

#endif
