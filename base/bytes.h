/* A byte buffer that grows: filled by appending, emptied by setting len to 0, and kept for reuse. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* All zero is an empty buffer. */
struct bytes {
	char *base;
	size_t len;
	size_t capacity;
};

/* Makes room for len more bytes and returns where they start. Ends the process when out of memory. */
static inline char *
bytes_reserve(struct bytes *bytes, size_t len)
{
	if (bytes->capacity - bytes->len < len) {
		bytes->capacity = 2 * bytes->capacity + len;
		bytes->base = mem_resize(bytes->base, bytes->capacity, 1);
	}
	return bytes->base + bytes->len;
}

static inline void
bytes_add(struct bytes *bytes, const void *from, size_t len)
{
	char *to = bytes_reserve(bytes, len);

	if (len > 0)
		memcpy(to, from, len);
	bytes->len += len;
}

static inline void
bytes_add_text(struct bytes *bytes, const char *text)
{
	bytes_add(bytes, text, strlen(text));
}

/* Numbers in network byte order, as PostgreSQL's binary formats have them. */
static inline void
bytes_add_be16(struct bytes *bytes, uint16_t value)
{
	value = htobe16(value);
	bytes_add(bytes, &value, sizeof value);
}

static inline void
bytes_add_be32(struct bytes *bytes, uint32_t value)
{
	value = htobe32(value);
	bytes_add(bytes, &value, sizeof value);
}

static inline void
bytes_add_be64(struct bytes *bytes, uint64_t value)
{
	value = htobe64(value);
	bytes_add(bytes, &value, sizeof value);
}

static inline void
bytes_free(struct bytes *bytes)
{
	free(bytes->base);
	*bytes = (struct bytes){0};
}

#endif
