/*
 * The head of an HTTP/1 request, read before libh2o reads it. The parser of libh2o answers a head that it does not take
 * by a plain 400 that passes no filter and no counter. libh2o takes every head that passes here; the others are refused
 * in the service's own words. Pure.
 */
#ifndef SERVER_HEAD_H
#define SERVER_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libh2o's own limits: H2O_MAX_HEADERS and H2O_MAX_REQLEN. */
#define HEAD_FIELDS_MAX 100
#define HEAD_BYTES_MAX (8192 + 4096 * HEAD_FIELDS_MAX)

/* How far a head has been read. All zero before its first byte. */
struct head {
	/* Where the first line begins that is not read yet. When the head is whole: the length of the head. */
	size_t line;
	size_t searched; /* no line ends between line and here */
	uint32_t lines;
	size_t length_at, length_len; /* where the value of Content-Length is */
	bool has_length, has_coding; /* Content-Length, Transfer-Encoding */
	int status; /* when the head is refused: a 4xx */
	const char *why; /* and a sentence for the client, which JSON does not escape */
};

enum head_state { HEAD_WHOLE = 0, HEAD_PARTIAL = 1, HEAD_REFUSED = 2 };

/*
 * Reads on in a head of which len bytes, at least one, have come; bytes that had come before must be unchanged, but may
 * have moved. Each line is read once it is whole, so that a client that does not speak HTTP is refused by its first
 * line or byte. Returns one of enum head_state.
 */
int head_read(struct head *head, const char *bytes, size_t len);

#endif
