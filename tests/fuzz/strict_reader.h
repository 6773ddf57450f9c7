/*
 * What a client's bytes are by RFC 9112, read strictly, from all of the bytes at once. It shares no code and no way of
 * reading with server/: what both find is right.
 */
#ifndef TESTS_FUZZ_STRICT_READER_H
#define TESTS_FUZZ_STRICT_READER_H

#include <stddef.h>
#include <stdint.h>

/* The most bytes that are read, and the most requests in them. */
#define STRICT_BYTES_MAX 4096
#define STRICT_REQUESTS_MAX 256

/* A larger Content-Length is wrong. */
#define STRICT_BODY_MAX (1u << 20)

enum strict_end {
	STRICT_OPEN, /* more may come, also in the midst of a request */
	STRICT_LAST, /* the last of the requests says that it is the last one */
	STRICT_WRONG /* what stands behind the requests is none, whatever follows */
};

struct strict_requests {
	struct {
		size_t len;
		uint32_t sum;
	} bodies[STRICT_REQUESTS_MAX];
	unsigned count;
	enum strict_end end;
};

/* Adds a request with that body. */
void strict_add(struct strict_requests *requests, const char *body, size_t len);

/* Finds the requests in the bytes. */
void strict_read(const char *bytes, size_t len, struct strict_requests *found);

#endif
