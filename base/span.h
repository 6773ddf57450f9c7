/* A borrowed run of bytes. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stddef.h>

/* base is NULL for an absent text, which differs from an empty one. */
struct span {
	const char *base;
	size_t len;
};

#endif
