/*
 * Names are found by binary search: a few comparisons per key even for hostile bodies, and no hash to attack. The
 * members of data are scanned again only for events with unknown fields.
 */
#include "ingest/unknown.h"

#include <string.h>

#include "ingest/rewrite.h"

static struct json
key_of(const struct unknown_field *field)
{
	return (struct json){.type = JSON_STRING, .text = field->member.text, .len = field->key_len};
}

/* The key's place in the order; *found: it is there already. */
static uint32_t
place_of(const struct unknown_fields *unknown, const struct json *key, bool *found)
{
	uint32_t low = 0, high = unknown->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		struct json other = key_of(&unknown->fields[unknown->order[middle]]);
		int difference = rewrite_compare(key, &other);

		*found = difference == 0;
		if (*found)
			return middle;
		if (difference < 0)
			high = middle;
		else
			low = middle + 1;
	}
	*found = false;
	return low;
}

/* Whether the key has \u0000 or a lone surrogate. scan_member() does not report it, which keeps known fields cheap. */
static bool
is_unsafe(const struct json *key)
{
	struct scan scan;
	struct json value;

	return key->escapes && scan_begin(&scan, key->text, key->len) && scan_value(&scan, &value) && value.unsafe;
}

void
unknown_add(struct unknown_fields *unknown, const struct json *key, const struct json *value)
{
	bool found;
	uint32_t place = place_of(unknown, key, &found);
	uint16_t *order = &unknown->order[place];

	if (!found) {
		if (unknown->count == UNKNOWN_FIELDS_MAX) {
			unknown->too_many = true;
			return;
		}
		memmove(order + 1, order, (unknown->count - place) * sizeof *order);
		*order = (uint16_t)unknown->count++;
	}
	unknown->fields[*order] = (struct unknown_field){
	    .member =
		{
		    .type = value->type,
		    .unsafe = value->unsafe || is_unsafe(key),
		    .nonfinite = value->nonfinite,
		    .text = key->text,
		    .len = (size_t)(value->text + value->len - key->text),
		    .tight = key->len + strlen(":") + value->tight,
		},
	    .key_len = key->len,
	};
}

bool
unknown_scan(struct unknown_fields *unknown, struct scan *scan, const struct json *key, enum unknown_action action)
{
	struct json value;
	bool scanned;

	unknown->any = true;
	if (action == UNKNOWN_KEEP) {
		scan->nonfinite_ok = true;
		scan->depth_max = JSON_DEPTH_MAX - 1;
	}
	scanned = scan_value(scan, &value);
	scan->nonfinite_ok = false;
	scan->depth_max = JSON_DEPTH_MAX;
	if (scanned && action != UNKNOWN_IGNORE)
		unknown_add(unknown, key, &value);
	return scanned;
}

void
unknown_select(struct unknown_fields *unknown, struct json *data)
{
	struct scan scan;
	struct json key, value;
	bool first = true, found;

	(void)scan_begin(&scan, data->text, data->len);
	scan.nonfinite_ok = true;
	while (scan_member(&scan, &first, &key) == SCAN_ELEMENT) {
		uint32_t place = place_of(unknown, &key, &found);

		if (found)
			unknown->fields[unknown->order[place]].member.type = JSON_ABSENT;
		(void)scan_value(&scan, &value);
	}

	unknown->bytes = 0;
	for (uint32_t i = 0; i < unknown->count; i++) {
		const struct json *member = &unknown->fields[i].member;

		if (member->type == JSON_ABSENT)
			continue;
		unknown->bytes += strlen(",") + member->tight;
		data->unsafe |= member->unsafe;
		data->nonfinite |= member->nonfinite;
	}
	if (unknown->bytes > 0 && data->tight == strlen("{}"))
		unknown->bytes -= strlen(",");
}

void
unknown_write(const struct unknown_fields *unknown, const struct json *data, char *end)
{
	char *at = end - strlen("}");
	bool comma = data->tight > strlen("{}");

	for (uint32_t i = 0; i < unknown->count; i++) {
		const struct json *member = &unknown->fields[i].member;

		if (member->type == JSON_ABSENT)
			continue;
		if (comma)
			*at++ = ',';
		comma = true;
		rewrite_tight(member, at);
		at += member->tight;
	}
	*at = '}';
}
