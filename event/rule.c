/* Reads the documents of filters and transforms. See rule.h. */
#include "event/rule.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "event/json_string.h"

/* Appends the place to err's text, outermost first. */
static void
add_place(const struct rule_place *place, struct error *err)
{
	size_t used;

	if (place == NULL)
		return;
	add_place(place->up, err);
	used = strlen(err->text);
	if (place->name != NULL)
		(void)snprintf(err->text + used, sizeof err->text - used, ".%s", place->name);
	else
		(void)snprintf(err->text + used, sizeof err->text - used, "[%u]", place->index);
}

int
rule_refuse(const struct rule *rule, const struct rule_place *place, const char *at, const char *fmt, ...)
{
	struct error *err = rule->err;
	size_t used;
	va_list ap;

	(void)error_set(err, "%s", rule->what);
	add_place(place, err);
	used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof err->text - used, ", byte %td: ", at - rule->begin);
	used = strlen(err->text);
	va_start(ap, fmt);
	(void)vsnprintf(err->text + used, sizeof err->text - used, fmt, ap);
	va_end(ap);
	return -1;
}

int
rule_begin(struct rule *rule, struct span text, struct json *value)
{
	struct scan scan;

	rule->begin = text.base;
	if (text.len > RULE_BYTES_MAX)
		return rule_refuse(rule, NULL, text.base + RULE_BYTES_MAX, "more than %d bytes", RULE_BYTES_MAX);
	if (!scan_begin(&scan, text.base, text.len))
		return rule_refuse(rule, NULL, scan.at, "there is no value");
	if (!scan_value(&scan, value) || !scan_finish(&scan))
		return rule_refuse(rule, NULL, scan.at, "%s", scan.reason);
	return 0;
}

bool
rule_spells(const struct json *string, const char *text)
{
	return json_string_compare(string, (struct span){text, strlen(text)}) == 0;
}

int
rule_members(const struct rule *rule, const struct rule_place *place, const struct json *object,
    const char *const names[], struct json values[])
{
	enum scan_step step;
	struct scan scan;
	struct json key;
	bool first = true;

	if (object->type != JSON_OBJECT)
		return rule_refuse(rule, place, object->text, "this is not an object");
	for (size_t i = 0; names[i] != NULL; i++)
		values[i] = (struct json){0};
	(void)scan_begin(&scan, object->text, object->len);
	while ((step = scan_member(&scan, &first, &key)) == SCAN_ELEMENT) {
		size_t i = 0;

		while (names[i] != NULL && !rule_spells(&key, names[i]))
			i++;
		if (names[i] == NULL)
			return rule_refuse(rule, place, key.text, "a member of this name is not defined");
		if (values[i].type != JSON_ABSENT)
			return rule_refuse(rule, place, key.text, "%s is given twice", names[i]);
		if (!scan_value(&scan, &values[i]))
			break;
	}
	assert(step == SCAN_CLOSED); /* it scanned well before */
	return 0;
}

void
rule_string(const struct json *string, struct bytes *text)
{
	/* No escape is shorter than its character, so string->len is enough. */
	text->len += json_string_decode(string, bytes_reserve(text, string->len), string->len);
}

int
rule_path(const struct rule *rule, const struct rule_place *place, const struct json *path, struct bytes *text,
    struct rule_step steps[RULE_PATH_STEPS_MAX])
{
	size_t begin = text->len, at = begin;
	int count = 0;

	if (path->type != JSON_STRING)
		return rule_refuse(rule, place, path->text, "a path is a string, as in \"payload.order.0.id\"");
	if (path->unsafe)
		return rule_refuse(rule, place, path->text, "the path holds a NUL or half a surrogate pair");
	if (path->len - 2 > RULE_PATH_BYTES_MAX)
		return rule_refuse(rule, place, path->text, "the path has more than %d bytes", RULE_PATH_BYTES_MAX);
	rule_string(path, text);
	for (;;) {
		const char *base = text->base;
		const char *dot = memchr(base + at, '.', text->len - at);
		size_t end = dot == NULL ? text->len : (size_t)(dot - base);

		if (end == at)
			return rule_refuse(rule, place, path->text, "the path has an empty step");
		if (count == RULE_PATH_STEPS_MAX)
			return rule_refuse(
			    rule, place, path->text, "the path has more than %d steps", RULE_PATH_STEPS_MAX);
		steps[count++] = (struct rule_step){(uint32_t)at, (uint32_t)(end - at)};
		if (dot == NULL)
			return count;
		at = end + 1;
	}
}
