/* What the two halves of the JSON suite share: documents in tables, and a call of the scanner. */
#ifndef TESTS_UNIT_JSON_SUITE_FIXTURE_H
#define TESTS_UNIT_JSON_SUITE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_run.h"
#include "event/scan.h"

struct document {
	const char *text;
	size_t len;
};

/* Literals may hold NUL bytes. */
#define D(literal)                                                                                                     \
	{                                                                                                              \
		literal, sizeof(literal) - 1                                                                           \
	}
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Scans memory of exactly the document's size, so that the address sanitizer sees a byte read too far. */
static bool
accepts(const struct document *document, bool nonfinite_ok)
{
	char *copy = malloc(document->len > 0 ? document->len : 1);
	struct scan scan;
	struct json value;
	bool ok;

	assert_non_null(copy);
	memcpy(copy, document->text, document->len);
	for (const char *p = copy, *end = copy + document->len; p < end; p++)
		assert_ptr_equal(json_run_end(p, end), json_run_end_words(p, end));
	ok = scan_begin(&scan, copy, document->len);
	if (ok) {
		scan.nonfinite_ok = nonfinite_ok;
		ok = scan_value(&scan, &value) && scan_finish(&scan);
	}
	assert_true(ok == (scan.reason == NULL));
	assert_true(scan.at >= copy && scan.at <= copy + document->len);
	free(copy);
	return ok;
}

static inline void
check_all(const struct document *documents, size_t count, bool expected, bool nonfinite_ok)
{
	for (size_t i = 0; i < count; i++)
		if (accepts(&documents[i], nonfinite_ok) != expected)
			fail_msg(
			    "%s: %.*s", expected ? "refused" : "accepted", (int)documents[i].len, documents[i].text);
}

#endif
