/*
 * The headers by which a receiver recognises the service's requests (docs/webhooks.md). There are two kinds.
 * x-hl-signature, keyed with the bytes of the secret's text, carries exactly one signature: during an overlap by the
 * old secret. webhook-signature (Standard Webhooks), keyed with the bytes that a whsec_ secret encodes, carries one
 * signature for each secret, the new one first. Receivers accept a time at most five minutes off, so the headers are
 * made just before sending.
 */
#ifndef COURIER_SIGNATURE_H
#define COURIER_SIGNATURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/span.h"

struct signature_spec {
	struct span secret; /* as it was given */
	struct span old_secret; /* the same; empty: no overlap now */
	bool legacy; /* also add x-gp-signature and x-gp-timestamp */
	const uint8_t *job_id; /* 16 bytes: webhook-id, the same for each attempt */
	int64_t now_us; /* wall clock */
	struct span body; /* the bytes that are sent */
};

/* Appends the headers, each as "name: value\r\n". Pure; any thread. */
void signature_add(struct bytes *out, const struct signature_spec *spec);

#endif
