/*
 * The head of an HTTP/1 request, looked at before libh2o does: its parser answers what it does not take by a plain 400 of
 * its own, past every filter and every counter. What passes here passes there; the rest is refused in the service's own
 * words. Pure.
 */
#ifndef SERVER_HEAD_H
#define SERVER_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libh2o's own limits: H2O_MAX_HEADERS and H2O_MAX_REQLEN. */
#define HEAD_FIELDS_MAX 100
#define HEAD_BYTES_MAX (8192 + 4096 * HEAD_FIELDS_MAX)

/* How far a head has been read; all zero before its first byte. */
struct head {
	size_t line; /* where the line begins that is not read yet; when the head is whole: its length */
	size_t searched; /* no line ends between line and this */
	uint32_t lines;
	size_t length_at, length_len; /* where the value of Content-Length is */
	bool has_length, has_coding; /* Content-Length, Transfer-Encoding */
	int status; /* when it is refused: a 4xx, and a sentence for the client that needs no escapes in JSON */
	const char *why;
};

enum head_state { HEAD_WHOLE = 0, HEAD_PARTIAL = 1, HEAD_REFUSED = 2 };

/*
 * Reads on in a head of which len bytes, at least one, have come; those that were there before must be unchanged, but
 * may have moved. Each line is looked at once, so that what is no HTTP is refused by its first line or byte. Returns one of
 * enum head_state.
 */
int head_read(struct head *head, const char *bytes, size_t len);

#endif
