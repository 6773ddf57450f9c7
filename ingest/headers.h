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

/*
 * Reads the value of an Idempotency-Key header, 1 to IDEMPOTENCY_KEY_MAX visible ASCII characters. They may stand in quotes
 * (a string of RFC 8941), which are not part of the key, nor are the backslashes before quotes and backslashes in there.
 * Returns the length of what is then in key, or 0 when the value is no key.
 */
#define IDEMPOTENCY_KEY_MAX 255
size_t idempotency_key_parse(const char *value, size_t len, char key[IDEMPOTENCY_KEY_MAX]);

#endif
