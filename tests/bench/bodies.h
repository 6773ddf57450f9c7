/*
 * The requests that the benchmark posts: hook events of one size, of 200 sessions, that happen now, each with an id of
 * its own; or published events whose payloads say when they were sent. A few hundred requests are made ahead; when one
 * is to be sent, ids and time are written over the last ones.
 */
#ifndef TESTS_BENCH_BODIES_H
#define TESTS_BENCH_BODIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BODIES_FULL_EVENT 320 /* bytes; smaller hook events carry neither id nor time, only type, session and data */
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
	uint32_t events; /* in a body: an object if 1, else an array */
	uint32_t event_bytes;
	enum body_ids ids;
	uint64_t seed; /* 48 bits; the same seed makes the same ids, in the same order */
	uint64_t known; /* ids made by earlier programs with this seed: they are not new */
	uint32_t duplicates_percent; /* of events that carry one of the known ids */
	const char *topic; /* NULL: hook events. Else published events, for which ids, seed and known mean nothing */
	uint32_t topics; /* numbers from 0 on that follow "topic." */
	const char *key; /* NULL, or the API key */
};

struct body {
	char *request; /* head and body */
	size_t bytes;
	struct body *next;
};

/* Makes the first bodies. Call once; the strings of spec must stay. */
void bodies_init(const struct body_spec *spec);

/* A request with ids of its own and the time of now; the caller's until bodies_give(). */
struct body *bodies_take(void);
void bodies_give(struct body *body);

#endif
