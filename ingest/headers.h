/* What a request's headers ask for, beside what its body is. Any process. */
#ifndef INGEST_HEADERS_H
#define INGEST_HEADERS_H

#include <stddef.h>

enum handling {
	HANDLING_UNSAID,
	HANDLING_STRICT, /* all or nothing */
	HANDLING_LENIENT
};

/*
 * What the value of one Prefer header (RFC 7240) says about handling; other preferences, and values of it that are
 * neither, are passed over. When there are several, in one header or in several, the first counts.
 */
enum handling prefer_handling(const char *value, size_t len);

#endif
