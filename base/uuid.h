/*
 * UUIDs: as clients write them, version 5 (RFC 9562 section 5.5) for other strings, version 7 (section 5.7) for events
 * without an id and for whatever the service makes. Any process.
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

/* What no version 7 id of that time or later is less than, and every earlier one is. ms: since 1970, not negative. */
void uuid_v7_first(int64_t ms, uint8_t out[16]);

/*
 * This project's namespaces for version 5: of clients' own ids, c2794c55-9d05-48fc-abc1-80f365c3efcd, and of events
 * whose id follows from their place in a request, 7da0d4d4-f822-4102-924c-4a49413a7e02. They were drawn once at random
 * and never change, because an event that is sent again is recognised by an id made with them.
 */
extern const uint8_t uuid_client_ids[16];
extern const uint8_t uuid_request_events[16];

/*
 * The version 5 id of a text in that namespace: the same text always gives the same id, here and in any other language.
 * Ends the process if libcrypto gives no SHA-1.
 */
void uuid_v5(const uint8_t space[16], const char *text, size_t len, uint8_t out[16]);

/*
 * Reads the usual forms: 8-4-4-4-12 hex digits in any case, 32 hex digits, either in {braces} or after "urn:uuid:".
 * Returns false for anything else, out untouched.
 */
bool uuid_parse(const char *text, size_t len, uint8_t out[16]);

#endif
