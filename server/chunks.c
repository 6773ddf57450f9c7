/*
 * A state for each place in a chunked body:
 *
 *     5 ;name=value CR LF  hello  CR LF   0 CR LF   Name : value CR LF   CR LF
 *     │ │              │   │      │  │              │    │          │       │
 *     │ EXTENSION      │   DATA   │  DATA_LF        NAME VALUE      │       END_LF
 *     FIRST_DIGIT,     SIZE_LF    DATA_CR           (TRAILER        VALUE_LF
 *     SIZE, BLANK                                   before it)
 */
#include "server/chunks.h"

#include <assert.h>
#include <stdbool.h>
#include <strings.h>

#include "base/json_escape.h"
#include "server/head.h"

/* Sizes below 4 GiB, so that proxies with 32-bit counters agree. MAX_BODY_BYTES is far below. */
#define DIGITS_MAX 8

enum place {
	FIRST_DIGIT = 0, /* of a chunk's size */
	SIZE,
	BLANK, /* between a size and its extension */
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER, /* at the beginning of a line after the last chunk */
	NAME,
	VALUE,
	VALUE_LF,
	END_LF,
	END,
	REFUSED,
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static enum place
refuse(struct chunks *chunks, const char *why)
{
	chunks->why = why;
	return REFUSED;
}

static enum place
read_end_of_line(struct chunks *chunks, char c, char expected, enum place next)
{
	return c == expected ? next : refuse(chunks, "A chunk or a line between chunks does not end in CR LF");
}

static enum place
read_size(struct chunks *chunks, char c, enum place here)
{
	int digit = hex_digit(c);

	if (digit >= 0) {
		if (chunks->digits++ == DIGITS_MAX)
			return refuse(chunks, "The size of a chunk has more than 8 digits");
		chunks->left = chunks->left * 16 + (unsigned)digit;
		return SIZE;
	}
	if (here == SIZE && c == '\r')
		return SIZE_LF;
	if (here == SIZE && c == ';')
		return EXTENSION;
	if (here == SIZE && is_blank(c))
		return BLANK;
	return refuse(chunks, "The size of a chunk is not a hexadecimal number");
}

static enum place
read_blank(struct chunks *chunks, char c)
{
	if (c == ';')
		return EXTENSION;
	return is_blank(c) ? BLANK
			   : refuse(chunks, "The size of a chunk is followed by something other than an extension");
}

/* Reads any text up to the CR of the line; the LF is expected at next. */
static enum place
read_text(struct chunks *chunks, char c, enum place here, enum place next)
{
	if (c == '\r')
		return next;
	if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7f)
		return refuse(chunks, "A line between chunks holds a control character, or ends in LF alone");
	return here;
}

/* Whether the name must be in the head, where proxies look for it. */
static bool
belongs_in_head(const struct chunks *chunks)
{
	const char *name = chunks->name;

	return (chunks->name_len == 4 && strncasecmp(name, "host", 4) == 0) ||
	       (chunks->name_len == 14 && strncasecmp(name, "content-length", 14) == 0) ||
	       (chunks->name_len == 17 && strncasecmp(name, "transfer-encoding", 17) == 0);
}

static enum place
read_name(struct chunks *chunks, char c)
{
	if (head_is_token(c)) {
		if (chunks->name_len < CHUNKS_NAME_MAX)
			chunks->name[chunks->name_len] = c;
		if (chunks->name_len <= CHUNKS_NAME_MAX)
			chunks->name_len++;
		return NAME;
	}
	if (chunks->name_len == 0 || c != ':')
		return refuse(chunks, "A trailer of the chunked body is not of the form Name: value");
	if (belongs_in_head(chunks))
		return refuse(
		    chunks, "Host, Content-Length and Transfer-Encoding cannot be trailers of a chunked body");
	return VALUE;
}

static enum place
begin_chunk(struct chunks *chunks)
{
	chunks->text = chunks->digits = 0;
	return FIRST_DIGIT;
}

static enum place
begin_trailers(struct chunks *chunks)
{
	chunks->text = 0;
	return TRAILER;
}

/* Reads a byte outside of DATA; returns the next place. */
static enum place
read_byte(struct chunks *chunks, char c)
{
	const enum place here = chunks->state;

	switch (here) {
	case FIRST_DIGIT:
	case SIZE:
		return read_size(chunks, c, here);
	case BLANK:
		return read_blank(chunks, c);
	case EXTENSION:
		return read_text(chunks, c, EXTENSION, SIZE_LF);
	case SIZE_LF:
		return read_end_of_line(chunks, c, '\n', chunks->left > 0 ? DATA : begin_trailers(chunks));
	case DATA_CR:
		return read_end_of_line(chunks, c, '\r', DATA_LF);
	case DATA_LF:
		return read_end_of_line(chunks, c, '\n', begin_chunk(chunks));
	case TRAILER:
		chunks->name_len = 0;
		return c == '\r' ? END_LF : read_name(chunks, c);
	case NAME:
		return read_name(chunks, c);
	case VALUE:
		return read_text(chunks, c, VALUE, VALUE_LF);
	case VALUE_LF:
		return read_end_of_line(chunks, c, '\n', TRAILER);
	case END_LF:
		return read_end_of_line(chunks, c, '\n', END);
	case DATA:
	case END:
	case REFUSED:
		break;
	}
	assert(!"nothing is read here");
	return REFUSED;
}

/* Skips the chunk's data in the input; returns its length. */
static size_t
read_data(struct chunks *chunks, size_t len)
{
	size_t come = chunks->left < len ? (size_t)chunks->left : len;

	chunks->data += come;
	chunks->left -= come;
	if (chunks->left == 0)
		chunks->state = DATA_CR;
	return come;
}

int
chunks_read(struct chunks *chunks, const char *bytes, size_t len, size_t *used)
{
	size_t n = 0;

	while (n < len && chunks->state < END) {
		if (chunks->state == DATA)
			n += read_data(chunks, len - n);
		else if (chunks->text++ == CHUNKS_TEXT_MAX)
			chunks->state = refuse(chunks, "The lines between chunks, or the trailers, are too long");
		else
			chunks->state = read_byte(chunks, bytes[n++]);
	}
	*used = n;
	if (chunks->state == REFUSED)
		return CHUNKS_REFUSED;
	return chunks->state == END ? CHUNKS_WHOLE : CHUNKS_PARTIAL;
}
