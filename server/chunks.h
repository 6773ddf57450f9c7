/*
 * Checks a chunked body before libh2o reads it. libh2o accepts any bytes after a chunk's size, lines that end in bare
 * LF, and any lines as trailers; this accepts only the form of RFC 9112 section 7.1. Pure.
 */
#ifndef SERVER_CHUNKS_H
#define SERVER_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

/* The most bytes of a line with a chunk's size, and of all trailers together. */
#define CHUNKS_TEXT_MAX 4096

/* The longest forbidden trailer name: transfer-encoding. */
#define CHUNKS_NAME_MAX 17

/* The state of reading a body. All zero before its first byte. */
struct chunks {
	uint64_t data; /* bytes of chunk data received so far */
	uint64_t left; /* bytes of the current chunk still to come */
	uint32_t text; /* bytes of the line with its size, or of the trailers */
	uint8_t state;
	uint8_t digits; /* of its size */
	uint8_t name_len; /* length of the trailer's name, even if name is too short for it */
	char name[CHUNKS_NAME_MAX];
	const char *why; /* for a refused body: a sentence for the client without characters that JSON escapes */
};

enum chunks_state { CHUNKS_WHOLE = 0, CHUNKS_PARTIAL = 1, CHUNKS_REFUSED = 2 };

/*
 * Reads the next len bytes. Returns one of enum chunks_state. *used is the number of bytes up to the end of the body if
 * it is whole, else len.
 */
int chunks_read(struct chunks *chunks, const char *bytes, size_t len, size_t *used);

#endif
