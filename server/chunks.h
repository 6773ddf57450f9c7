/*
 * A chunked body, read before libh2o reads it. libh2o takes any bytes behind a chunk's size, lines that end in LF
 * alone, and any lines for trailers; what passes here is as RFC 9112 section 7.1 says. Pure.
 */
#ifndef SERVER_CHUNKS_H
#define SERVER_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

/* The most bytes of a line with a chunk's size, and of all trailers together. */
#define CHUNKS_TEXT_MAX 4096

/* The longest name that no trailer may have: transfer-encoding. */
#define CHUNKS_NAME_MAX 17

/* How far a body has been read. All zero before its first byte. */
struct chunks {
	uint64_t left; /* bytes of the present chunk that are still to come */
	uint32_t text; /* bytes of the line with its size, or of the trailers */
	uint8_t state;
	uint8_t digits; /* of its size */
	uint8_t name_len; /* of the trailer's name, also where name is too short for it */
	char name[CHUNKS_NAME_MAX];
	const char *why; /* when the body is refused: a sentence for the client, which JSON does not escape */
};

enum chunks_state { CHUNKS_WHOLE = 0, CHUNKS_PARTIAL = 1, CHUNKS_REFUSED = 2 };

/*
 * Reads the next len bytes behind those of the calls before. Returns one of enum chunks_state; *used is the number of
 * bytes up to the end of the body when it is whole, else len.
 */
int chunks_read(struct chunks *chunks, const char *bytes, size_t len, size_t *used);

#endif
