/*
 * The requests that the benchmark posts. They have hook events of one size, of 200 sessions, with the time of sending,
 * each with an id of its own; or published events whose payloads have the time of sending. A few hundred requests are
 * made ahead. Before one is sent, its ids and times are overwritten.
 */
#ifndef TESTS_BENCH_BODIES_H
#define TESTS_BENCH_BODIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BODIES_FULL_EVENT 320 /* bytes; smaller hook events have type, session and data, and neither id nor time */
#define BODIES_MIN_EVENT 96
#define BODIES_TOPIC_MAX 32 /* bytes */
#define BODIES_KEY_MAX 255

enum body_ids {
	IDS_NONE, /* the service makes them */
	IDS_ORDERED, /* UUIDv7, in the order of sending */
	IDS_RANDOM, /* UUIDv4 */
};

struct body_spec {
	uint16_t port; /* for the Host header */
	const char *path;
	uint32_t events; /* in a body, which is an object if 1, otherwise an array */
	uint32_t event_bytes;
	enum body_ids ids;
	uint64_t seed; /* 48 bits; the same seed makes the same ids, in the same order */
	uint64_t known; /* ids that earlier programs have made with this seed: they are not new */
	uint32_t duplicates_percent; /* of events with one of the known ids */
	const char *topic; /* NULL: hook events. Else published events, for which ids, seed and known mean nothing */
	uint32_t topics; /* topics are "topic." and a number from 0 on */
	const char *key; /* NULL, or the API key */
};

struct body {
	char *request; /* head and body */
	size_t bytes;
	struct body *next;
};

/* Makes the first bodies. Call once. The strings of spec must stay. */
void bodies_init(const struct body_spec *spec);

/* Returns a request with ids of its own and the present time. It is the caller's until bodies_give(). */
struct body *bodies_take(void);
void bodies_give(struct body *body);

#endif
