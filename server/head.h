/*
 * Checks the head of an HTTP/1 request before libh2o reads it. A head that passes is unambiguous: a proxy in front and
 * libh2o agree on the request's end and host. libh2o accepts every such head; others are refused in this service's
 * words. docs/adr/0002-framing.md lists the refusals. Pure.
 */
#ifndef SERVER_HEAD_H
#define SERVER_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libh2o's own limits: H2O_MAX_HEADERS and H2O_MAX_REQLEN. */
#define HEAD_FIELDS_MAX 100
#define HEAD_BYTES_MAX (8192 + 4096 * HEAD_FIELDS_MAX)

/* A part of the head. */
struct head_part {
	uint32_t at, len;
};

/* The state of reading a head. All zero before its first byte. */
struct head {
	/* Offset of the first unread line; for a whole head, its length. */
	size_t line;
	size_t searched; /* no line ends between `line` and here */
	uint32_t lines;
	uint32_t method_len; /* the head begins with the method */
	struct head_part target;
	struct head_part length, host, authorization; /* the values of Content-Length, Host and Authorization */
	struct head_part authority; /* the host of a target like http://host/path; else empty */
	uint64_t body_bytes; /* the value of Content-Length; 0 without */
	bool has_length, has_coding, has_host; /* Content-Length, Transfer-Encoding, Host */
	uint8_t authorizations; /* the number of Authorization headers */
	bool expects; /* Expect: 100-continue */
	bool of_1_0, https; /* HTTP/1.0; the target's scheme is https */
	int status; /* for a refused head: a 4xx */
	const char *why; /* and a sentence for the client without characters that JSON escapes */
};

enum head_state { HEAD_WHOLE = 0, HEAD_PARTIAL = 1, HEAD_REFUSED = 2 };

/* The bytes of leading empty lines, which a server ignores before a request (RFC 9112 section 2.2). */
size_t head_empty_lines(const char *bytes, size_t len);

/*
 * Continues with a head of which len bytes, at least one, have come. Earlier bytes must be unchanged but may have
 * moved. Each line is checked once it is complete, so that a client that does not speak HTTP is refused at its first
 * line or byte. Returns one of enum head_state.
 */
int head_read(struct head *head, const char *bytes, size_t len);

/* Whether c may be part of a token (RFC 9110 section 5.6.2): a method or field name. */
bool head_is_token(char c);

#endif
