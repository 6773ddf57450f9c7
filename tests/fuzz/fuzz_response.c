/*
 * Arbitrary bytes as a reply: lines of a head up to the empty one, then a body. For every input the status is that of
 * the last status line, waits are in their range, and every text is UTF-8 without NUL.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "courier/response.h"
#include "courier/retry_after.h"
#include "tests/fuzz/target.h"

static void
must_be_text(const char *text)
{
	for (size_t len = strlen(text), at = 0; at < len;) {
		size_t width = utf8_length(text + at, len - at);

		assert(width > 0);
		at += width;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size > 0 ? size : 1), *at = copy, *end = copy + size;
	char text[ATTEMPT_RESPONSE_MAX + 1];
	struct response reply = {0};

	assert(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	response_begin(&reply, true);
	while (at < end && !reply.complete) {
		char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t len = stop != NULL ? (size_t)(stop + 1 - at) : (size_t)(end - at);

		if (!response_head(&reply, (struct span){at, len}, INT64_C(1700000000000000)))
			break;
		at += len;
	}
	while (at < end) {
		size_t len = (size_t)(end - at) < 7 ? (size_t)(end - at) : 7;

		(void)response_body(&reply, (struct span){at, len});
		at += len;
	}
	response_text(&reply, text);
	must_be_text(text);
	assert(reply.status >= 0 && reply.status <= 999 && (!reply.complete || reply.status >= 200));
	assert(reply.retry_after_ms == -1 ||
	       (reply.retry_after_ms >= RETRY_AFTER_LEAST_MS && reply.retry_after_ms <= RETRY_AFTER_MOST_MS));
	assert(strlen(reply.redirect) < sizeof reply.redirect && strpbrk(reply.redirect, "@?#\r\n") == NULL);
	must_be_text(reply.redirect);
	response_free(&reply);
	free(copy);
	return 0;
}
