/*
 * UUIDs: reads those of clients; makes version 5 (RFC 9562 section 5.5) for other client ids, and version 7 (section
 * 5.7) for events without an id and for the service's own objects. Any process.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Random bytes in bulk, so that an id costs no system call. Each process makes its own after fork(). */
struct uuid_source {
	uint8_t pool[4096];
	size_t used;
	uint64_t last; /* unix ms << 12 | sub-ms fraction of the last v7, so that ids of one process ascend */
};

void uuid_source_init(struct uuid_source *source);

/*
 * A version 7 id for that instant; ids of one source always ascend. Ends the process if the kernel has no randomness.
 */
void uuid_v7(struct uuid_source *source, int64_t now_us, uint8_t out[16]);

/* The lower bound of version 7 ids of that time: every earlier id is less. ms: since 1970, not negative. */
void uuid_v7_first(int64_t ms, uint8_t out[16]);

/*
 * This project's namespaces for version 5: c2794c55-9d05-48fc-abc1-80f365c3efcd for clients' own ids,
 * 7da0d4d4-f822-4102-924c-4a49413a7e02 for ids derived from an event's position in its request. They are random and
 * must never change: a resent event is recognised by an id made with them.
 */
extern const uint8_t uuid_client_ids[16];
extern const uint8_t uuid_request_events[16];

/*
 * The version 5 id of a text in that namespace: the same text always gives the same id. Ends the process if libcrypto
 * fails.
 */
void uuid_v5(const uint8_t space[16], const char *text, size_t len, uint8_t out[16]);

/*
 * Reads the usual forms: 8-4-4-4-12 hex digits in any case, 32 hex digits, either in {braces} or after "urn:uuid:".
 * Returns false for anything else, out untouched.
 */
bool uuid_parse(const char *text, size_t len, uint8_t out[16]);

#endif
