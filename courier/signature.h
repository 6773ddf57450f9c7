/*
 * The headers by which a receiver knows that a request is the service's (docs/webhooks.md). Two kinds stand side by
 * side. x-hl-signature, keyed with the bytes of the secret's text, carries exactly one signature: during an overlap
 * that of the old secret. webhook-signature (Standard Webhooks), keyed with the bytes that a whsec_ secret encodes,
 * carries one of each secret: that of the new one first. Receivers take a time that is five minutes off at most, so
 * these are made at the moment of sending.
 */
#ifndef COURIER_SIGNATURE_H
#define COURIER_SIGNATURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/span.h"

struct signature_order {
	struct span secret; /* as it was given */
	struct span old_secret; /* the same; empty: there is no overlap, or it is over */
	bool legacy; /* x-gp-signature and x-gp-timestamp also */
	const uint8_t *job_id; /* 16 bytes: webhook-id, the same for each attempt */
	int64_t now_us; /* wall clock */
	struct span body; /* the bytes that are sent */
};

/* Appends the headers, each as "name: value\r\n". Pure; any thread. */
void signature_add(struct bytes *out, const struct signature_order *order);

#endif
