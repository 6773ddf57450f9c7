/*
 * The body of a request: the event in an envelope that names job and attempt, the event alone, or its payload alone. A
 * transform is applied to the event first.
 */
#ifndef COURIER_BODY_H
#define COURIER_BODY_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/span.h"
#include "courier/endpoint_config.h"
#include "event/record.h"
#include "event/transform.h"

struct body_spec {
	enum endpoint_body kind;
	const struct record *event; /* RECORD_PUBLISHED */
	const struct transform *transform; /* NULL: none */
	const uint8_t *job_id, *attempt_id; /* 16 bytes each */
	uint32_t number; /* of the attempt, from 1 */
};

/* Scratch space for making bodies. For one thread. */
struct body_maker;

/* Never NULL. */
struct body_maker *body_maker_new(void);
void body_maker_free(struct body_maker *maker);

/*
 * Makes the body, JSON, after emptying out. The result is valid until out or the event changes, or the maker is called
 * again. A payload that the transform removed becomes null.
 */
struct span body_make(struct body_maker *maker, const struct body_spec *spec, struct bytes *out);

#endif
