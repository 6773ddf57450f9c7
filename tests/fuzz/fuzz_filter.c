/*
 * Arbitrary filters and events: an input is a filter, a NUL and an event.
 *
 *   - a refusal names a place in the filter;
 *   - an event is read exactly if the scanner accepts it;
 *   - a filter has the same result alone and beside others, and the opposite under `not`.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "event/filter_event.h"
#include "event/scan.h"
#include "tests/fuzz/target.h"

static bool
scans(struct span text)
{
	struct scan scan;
	struct json value;

	if (!scan_begin(&scan, text.base, text.len))
		return false;
	return scan_value(&scan, &value) && scan_finish(&scan);
}

/* Parses the filter under `not`. There is none if it is nested too deep or has a node too many then. */
static bool
parse_opposite(struct span text, struct filter *filter)
{
	char *opposite = malloc(text.len + 16);
	struct error err;
	char *end;
	int rc;

	assert(opposite != NULL);
	end = mempcpy(stpcpy(opposite, "{\"not\":"), text.base, text.len);
	*end++ = '}';
	rc = filter_parse((struct span){opposite, (size_t)(end - opposite)}, filter, &err);
	free(opposite);
	return rc == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *begin = (const char *)data, *nul = memchr(begin, '\0', size);
	struct span text = {begin, nul == NULL ? size : (size_t)(nul - begin)};
	struct span event_text = {begin + text.len, 0};
	struct filter filters[3];
	struct filter_set *alone, *beside;
	struct filter_event *event, *other;
	struct error err = {""};
	bool opposite, read;

	if (nul != NULL)
		event_text = (struct span){nul + 1, size - text.len - 1};
	if (filter_parse(text, &filters[0], &err) < 0) {
		assert(strncmp(err.text, "filter", 6) == 0 && strstr(err.text, ", byte ") != NULL);
		return 0;
	}
	assert(filters[0].node_count > 0 && filters[0].node_count <= FILTER_NODES_MAX);
	assert(filters[0].nodes[0].end == filters[0].node_count);
	alone = filter_set_new(filters, 1);
	opposite = parse_opposite(text, &filters[0]);
	assert(filter_parse(text, &filters[opposite], &err) == 0);
	beside = filter_set_new(filters, opposite ? 2 : 1);

	event = filter_event_new(alone);
	other = filter_event_new(beside);
	read = filter_event_read(event, event_text);
	assert(read == filter_event_read(other, event_text));
	/* Levels that paths lead through do not count for the scanner's depth. */
	assert(read == scans(event_text) || (read && event_text.len > JSON_DEPTH_MAX));
	for (int i = 0; i < 2; i++) {
		bool holds = filter_event_holds(event, 0);

		assert(holds == filter_event_holds(other, opposite));
		assert(read ? !opposite || filter_event_holds(other, 0) != holds : !holds);
		assert(filter_event_read(event, event_text) == read);
	}
	filter_event_free(event);
	filter_event_free(other);
	filter_set_free(alone);
	filter_set_free(beside);
	return 0;
}
