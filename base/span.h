/* A borrowed run of bytes. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stddef.h>

/* base is NULL for no text at all, which is not the same as an empty one. */
struct span {
	const char *base;
	size_t len;
};

#endif
