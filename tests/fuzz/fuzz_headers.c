/*
 * Arbitrary bytes as the value of each header that only a POST of events has. For every input:
 *
 *   - an Idempotency-Key is visible characters, and is the same when it is written in quotes;
 *   - a traceparent or tracestate that is passed on is printable and within its limit.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/headers.h"
#include "tests/fuzz/target.h"

static bool
is_printable(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] >= ' ' && text[n] <= '~')
		n++;
	return n == len;
}

static void
check_key(const char *key, size_t len)
{
	char quoted[2 * IDEMPOTENCY_KEY_MAX + 2], again[IDEMPOTENCY_KEY_MAX];
	size_t n = 0;

	assert(len <= IDEMPOTENCY_KEY_MAX && is_printable(key, len) && memchr(key, ' ', len) == NULL);
	quoted[n++] = '"';
	for (size_t i = 0; i < len; i++) {
		if (key[i] == '"' || key[i] == '\\')
			quoted[n++] = '\\';
		quoted[n++] = key[i];
	}
	quoted[n++] = '"';
	assert(idempotency_key_parse(quoted, n, again) == len && memcmp(again, key, len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Memory that ends where the value ends, so that a sanitizer sees a read past its end. */
	char *value = malloc(size > 0 ? size : 1), key[IDEMPOTENCY_KEY_MAX];
	size_t len;

	assert(value != NULL);
	if (size > 0)
		memcpy(value, data, size);
	len = idempotency_key_parse(value, size, key);
	if (len > 0)
		check_key(key, len);
	assert(prefer_handling(value, size) <= HANDLING_LENIENT);
	assert(!traceparent_valid(value, size) || (size <= TRACEPARENT_MAX && is_printable(value, size)));
	assert(!tracestate_valid(value, size) || (size <= TRACESTATE_MAX && is_printable(value, size)));
	free(value);
	return 0;
}
