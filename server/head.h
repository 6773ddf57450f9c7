/*
 * The head of an HTTP/1 request, read before libh2o reads it. A head that passes here means one thing: a proxy in front
 * and libh2o cannot disagree on where the request ends or on which host it is for. libh2o takes every head that passes;
 * the others are refused in the service's own words. docs/adr/0002-framing.md says what is refused. Pure.
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

/* How far a head has been read. All zero before its first byte. */
struct head {
	/* Where the first line begins that is not read yet. When the head is whole: the length of the head. */
	size_t line;
	size_t searched; /* no line ends between line and here */
	uint32_t lines;
	uint32_t method_len; /* the method is what the head begins with */
	struct head_part target;
	struct head_part length, host, authorization; /* the values of Content-Length, Host and Authorization */
	struct head_part authority; /* of a target like http://host/path; else empty */
	uint64_t body_bytes; /* what Content-Length says; 0 without */
	bool has_length, has_coding, has_host; /* Content-Length, Transfer-Encoding, Host */
	uint8_t authorizations; /* how many headers Authorization there are */
	bool expects; /* Expect: 100-continue */
	bool of_1_0, https; /* the version is HTTP/1.0; the scheme before authority is https */
	int status; /* when the head is refused: a 4xx */
	const char *why; /* and a sentence for the client, which JSON does not escape */
};

enum head_state { HEAD_WHOLE = 0, HEAD_PARTIAL = 1, HEAD_REFUSED = 2 };

/* How many of the bytes are empty lines, which a server ignores before a request (RFC 9112 section 2.2). */
size_t head_empty_lines(const char *bytes, size_t len);

/*
 * Reads on in a head of which len bytes, at least one, have come; bytes that had come before must be unchanged, but may
 * have moved. Each line is read once it is whole, so that a client that does not speak HTTP is refused by its first
 * line or byte. Returns one of enum head_state.
 */
int head_read(struct head *head, const char *bytes, size_t len);

/* Whether it is a character of tokens (RFC 9110 section 5.6.2): methods and names of fields. */
bool head_is_token(char c);

#endif
