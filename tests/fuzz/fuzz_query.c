/*
 * Arbitrary bytes as the query of a request to the management API. For every input:
 *
 *   - every value of a readable query is UTF-8 without NUL, and is not empty;
 *   - a number that is accepted is in its range, and a refusal is answered with 400;
 *   - an unreadable query has a message that says what is wrong.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "control/query.h"
#include "tests/fuzz/target.h"

static const char *const names[] = {"cursor", "limit", "order", "topic", "a", "", NULL};

static void
must_be_text(const char *text)
{
	for (size_t len = strlen(text), at = 0; at < len;) {
		size_t width = utf8_length(text + at, len - at);

		assert(width > 0);
		at += width;
	}
}

/* ok: the result of a function that writes the reply when it fails. */
static void
check_reply(struct reply *reply, bool ok)
{
	assert(reply->status == (ok ? 0 : 400));
	bytes_free(&reply->body);
	*reply = (struct reply){.status = 0};
}

static void
read_values(const struct request *request)
{
	struct reply reply = {.status = 0};
	char value[QUERY_VALUE_BYTES];
	int64_t number = -1;
	int flag = -1;
	bool ok;

	for (size_t i = 0; names[i] != NULL; i++) {
		if (!query_value(request, names[i], value))
			continue;
		assert(value[0] != '\0' && strlen(value) < sizeof value);
		must_be_text(value);
	}
	ok = query_int(request, "limit", 1, 1000, &number, &reply);
	assert(!ok || number == -1 || (number >= 1 && number <= 1000));
	check_reply(&reply, ok);
	ok = query_bool(request, "a", &flag, &reply);
	assert(!ok || (flag >= -1 && flag <= 1));
	check_reply(&reply, ok);
	check_reply(&reply, query_has_only(request, names, &reply));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Memory that ends where the query ends, so that a sanitizer sees a read past its end. */
	char *copy = malloc(size > 0 ? size : 1), text[160] = "";
	struct request request = {.query = {copy, size}};

	assert(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	if (query_is_readable(request.query, text, sizeof text))
		read_values(&request);
	else
		assert(text[0] != '\0');
	free(copy);
	return 0;
}
