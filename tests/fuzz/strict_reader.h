/*
 * Reads a client's bytes by RFC 9112, strictly, and from all of the bytes at once. It shares no code and no method with
 * server/, so that a result that both have is right.
 */
#ifndef TESTS_FUZZ_STRICT_READER_H
#define TESTS_FUZZ_STRICT_READER_H

#include <stddef.h>
#include <stdint.h>

/* The limits of the bytes and of the requests in them. */
#define STRICT_BYTES_MAX 4096
#define STRICT_REQUESTS_MAX 256

/* A larger Content-Length is an error. */
#define STRICT_BODY_MAX (1u << 20)

enum strict_end {
	STRICT_OPEN, /* more bytes may come, also within a request */
	STRICT_LAST, /* the last request is the last one of the connection */
	STRICT_WRONG /* the bytes after the requests are an error, whatever follows */
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
