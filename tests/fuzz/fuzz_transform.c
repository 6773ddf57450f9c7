/*
 * Arbitrary transforms and events: an input is a transform, a NUL and an event.
 *
 *   - a refusal names a place in the transform;
 *   - the result for JSON is JSON, and not longer than the stated limit;
 *   - the same event has the same result a second time;
 *   - a text that is no object, or that no step changes, comes out as it was.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "event/scan.h"
#include "event/transform_apply.h"
#include "tests/fuzz/target.h"

static bool
scans(struct span text, struct json *value)
{
	struct scan scan;

	if (!scan_begin(&scan, text.base, text.len))
		return false;
	return (scan_value(&scan, value) && scan_finish(&scan)) || strcmp(scan.reason, "nested too deep") == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct json_edit *edit;
	const char *begin = (const char *)data, *nul = memchr(begin, '\0', size);
	struct span text = {begin, nul == NULL ? size : (size_t)(nul - begin)}, event, once;
	struct transform transform;
	struct error err = {""};
	struct json value = {0};
	char *copy;
	size_t len;

	if (transform_parse(text, &transform, &err) < 0) {
		assert(strncmp(err.text, "transform", 9) == 0 && strstr(err.text, ", byte ") != NULL);
		return 0;
	}
	assert(transform.step_count <= TRANSFORM_STEPS_MAX);
	if (edit == NULL)
		edit = json_edit_new();
	event = nul == NULL ? (struct span){"{}", 2} : (struct span){nul + 1, size - text.len - 1};
	if (!scans(event, &value) || value.type == JSON_ABSENT) {
		transform_free(&transform);
		return 0;
	}
	once = transform_apply(&transform, event, edit);
	len = once.len;
	assert(len <= event.len + TRANSFORM_GROWTH_MAX);
	if (value.type != JSON_OBJECT || transform.step_count == 0)
		assert(once.base == event.base && len == event.len);
	assert(scans(once, &value));
	copy = malloc(len);
	assert(copy != NULL);
	memcpy(copy, once.base, len);
	once = transform_apply(&transform, event, edit);
	assert(once.len == len && memcmp(once.base, copy, len) == 0);
	free(copy);
	transform_free(&transform);
	return 0;
}
