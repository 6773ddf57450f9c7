/*
 * The body of a request: the event in an envelope that names job and attempt, the event alone, or its payload alone.
 * A transform changes the event before.
 */
#ifndef COURIER_BODY_H
#define COURIER_BODY_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/span.h"
#include "courier/endpoint_config.h"
#include "event/record.h"
#include "event/transform.h"

struct body_order {
	enum endpoint_body kind;
	const struct record *event; /* RECORD_PUBLISHED */
	const struct transform *transform; /* NULL: none */
	const uint8_t *job_id, *attempt_id; /* 16 bytes each */
	uint32_t number; /* of the attempt, from 1 */
};

/* What making bodies needs. Of one thread. */
struct body_maker;

/* Never NULL. */
struct body_maker *body_maker_new(void);
void body_maker_free(struct body_maker *maker);

/*
 * The body, JSON. It stays as long as out, which is emptied first, and the event, and until the next call for the maker
 * (only a payload that was transformed is the maker's). A payload that a transform removed is null.
 */
struct span body_make(struct body_maker *maker, const struct body_order *order, struct bytes *out);

#endif
