/* Members are kept in the client's order; of members with the same name the last counts. */
#include "api/document.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "event/json_char.h"

/* Names in details are cut to this many bytes, between characters. */
#define NAME_SHOWN_BYTES 64

static struct span
shown(struct span name)
{
	size_t used = 0;

	while (used < name.len) {
		size_t len = utf8_length(name.base + used, name.len - used);

		if (len == 0 || used + len > NAME_SHOWN_BYTES)
			break;
		used += len;
	}
	return (struct span){name.base, used};
}

static bool
refuse(struct document_error *error, const char *code, const char *where, const char *what)
{
	if (error->code == NULL) {
		error->code = code;
		(void)snprintf(error->detail, sizeof error->detail, "%s%s%s", where, *where != '\0' ? ": " : "", what);
	}
	return false;
}

bool
document_refuse(struct document *document, const char *name, const char *format, ...)
{
	char where[sizeof document->path + NAME_SHOWN_BYTES + 1], what[300];
	struct span part = shown((struct span){name != NULL ? name : "", name != NULL ? strlen(name) : 0});
	va_list args;
	int len;

	va_start(args, format);
	(void)vsnprintf(what, sizeof what, format, args);
	va_end(args);
	len = snprintf(where, sizeof where, "%s%.*s", document->path, (int)part.len, part.base);
	if (name == NULL && len > 0)
		where[len - 1] = '\0'; /* cut the dot: "headers." becomes "headers" */
	return refuse(document->error, "validation_error", where, what);
}

/* As document_refuse(), for a member by its index. */
static bool
refuse_at(struct document *document, size_t index, const char *what)
{
	const struct document_member *member = &document->members[index];
	struct span part = shown(member->name);
	char name[NAME_SHOWN_BYTES + 1];

	if (member->name.base == NULL)
		(void)snprintf(name, sizeof name, "%zu", index);
	else
		(void)snprintf(name, sizeof name, "%.*s", (int)part.len, part.base);
	return document_refuse(document, name, "%s", what);
}

/* Decodes a scanned string. Each member is decoded at most once, so texts has room for all. */
static struct span
spell(struct document *document, const struct json *string)
{
	const char *p = string->text + 1, *end = string->text + string->len - 1;
	char *to = document->texts + document->texts_used;
	size_t used = 0;
	bool ignored;

	if (!string->escapes)
		return (struct span){p, (size_t)(end - p)};
	while (p < end)
		used += json_char_put(json_char_take(&p, end, &ignored), to + used);
	document->texts_used += used;
	assert(document->texts_used <= document->texts_max);
	return (struct span){to, used};
}

/* Refuses with the place where the scan stopped: byte, line and column (in bytes), all from 1. */
static bool
malformed(struct document *document, const struct scan *scan, const char *begin)
{
	size_t line = 1;
	const char *start = begin;
	char where[120];

	for (const char *p = begin; p < scan->at; p++)
		if (*p == '\n') {
			line++;
			start = p + 1;
		}
	(void)snprintf(where, sizeof where, "malformed JSON at byte %zu (line %zu, column %zu)",
	    (size_t)(scan->at - begin) + 1, line, (size_t)(scan->at - start) + 1);
	return refuse(document->error, "invalid_json", where, scan->reason);
}

static struct document_member *
add_member(struct document *document, size_t *room)
{
	if (document->count == *room) {
		*room = *room == 0 ? 16 : 2 * *room;
		document->members = mem_resize(document->members, *room, sizeof *document->members);
	}
	document->members[document->count] = (struct document_member){0};
	return &document->members[document->count++];
}

/* Reads the container whose opening bracket is at scan->at. */
static bool
read_members(struct document *document, struct scan *scan, bool object, const char *begin)
{
	bool first = true;
	size_t room = 0;

	for (;;) {
		struct json key = {0}, value;
		struct document_member *member;
		enum scan_step step;

		scan->unsafe = false;
		step = object ? scan_member(scan, &first, &key) : scan_element(scan, &first);

		bool unsafe_key = scan->unsafe;

		if (step == SCAN_CLOSED)
			return true;
		if (step == SCAN_FAILED || !scan_value(scan, &value))
			return malformed(document, scan, begin);
		if (document->count == DOCUMENT_MEMBERS_MAX)
			return document_refuse(
			    document, NULL, "more than %d %s", DOCUMENT_MEMBERS_MAX, object ? "members" : "elements");
		member = add_member(document, &room);
		member->value = value;
		if (object)
			member->name = spell(document, &key);
		if (unsafe_key || value.unsafe)
			return refuse_at(document, document->count - 1, "holds \\u0000 or half a surrogate pair");
	}
}

static void
begin_texts(struct document *document, size_t len)
{
	document->texts_max = len;
	document->texts = mem_new(len > 0 ? len : 1, 1);
}

bool
document_open(struct document *document, struct span body, struct document_error *error)
{
	struct scan scan;
	bool good;

	*document = (struct document){.error = error};
	begin_texts(document, body.len);
	if (!scan_begin(&scan, body.base, body.len))
		return true; /* empty or only white space: {} */
	scan.depth_max = DOCUMENT_DEPTH_MAX - 1; /* minus the object itself, which is iterated, not scanned */
	if (*scan.at != '{') {
		struct json value;

		/* Report malformed JSON as such, not as "must be an object". */
		good = scan_value(&scan, &value) && scan_finish(&scan);
		good = good ? document_refuse(document, NULL, "the body must be a JSON object")
			    : malformed(document, &scan, body.base);
	} else {
		good = read_members(document, &scan, true, body.base);
		if (good && !scan_finish(&scan))
			good = malformed(document, &scan, body.base);
	}
	if (!good)
		document->count = 0;
	return good;
}

void
document_close(struct document *document)
{
	free(document->members);
	free(document->texts);
	*document = (struct document){.error = document->error};
}

/* Marks all members of that name as known. Returns the last one, or NULL if there is none or it is null. */
static struct document_member *
find(struct document *document, const char *name, bool *null)
{
	size_t len = strlen(name);
	struct document_member *found = NULL;

	for (size_t i = 0; i < document->count; i++) {
		struct document_member *member = &document->members[i];

		if (member->name.len == len && member->name.base != NULL && memcmp(member->name.base, name, len) == 0) {
			member->known = true;
			found = member;
		}
	}
	*null = found != NULL && found->value.type == JSON_NULL;
	return *null ? NULL : found;
}

enum document_presence
document_presence(struct document *document, const char *name)
{
	bool null;

	if (find(document, name, &null) != NULL)
		return DOCUMENT_GIVEN;
	return null ? DOCUMENT_NULL : DOCUMENT_ABSENT;
}

/* Finds the index of the member of that name. False: it is absent or null. */
static bool
find_index(struct document *document, const char *name, size_t *index)
{
	bool null;
	struct document_member *member = find(document, name, &null);

	if (member == NULL)
		return false;
	*index = (size_t)(member - document->members);
	return true;
}

/* The code point of a character of len bytes if it can be a control character, else 0xfffd. */
static unsigned
control_code(const char *p, size_t len)
{
	const unsigned char *c = (const unsigned char *)p;

	return len == 1 ? c[0] : len == 2 ? (c[0] & 0x1fu) << 6 | (c[1] & 0x3fu) : 0xfffd;
}

static bool
is_control(unsigned code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

bool
document_string_at(struct document *document, size_t index, const struct document_lengths *lengths, struct span *out)
{
	struct document_member *member = &document->members[index];
	size_t chars = 0;
	char what[96];

	if (member->value.type != JSON_STRING)
		return refuse_at(document, index, "must be a string");
	if (member->spelled.base == NULL)
		member->spelled = spell(document, &member->value);
	for (size_t i = 0; i < member->spelled.len; chars++) {
		const char *p = member->spelled.base + i;
		size_t len = utf8_length(p, member->spelled.len - i);
		unsigned code = control_code(p, len);

		if (is_control(code) && !(lengths->lines && (code == '\n' || code == '\r' || code == '\t'))) {
			(void)snprintf(
			    what, sizeof what, "holds the control character U+%04X at character %zu", code, chars + 1);
			return refuse_at(document, index, what);
		}
		i += len;
	}
	if (chars >= lengths->min && chars <= lengths->max) {
		*out = member->spelled;
		return true;
	}
	(void)snprintf(
	    what, sizeof what, "must have %zu to %zu characters, and has %zu", lengths->min, lengths->max, chars);
	return refuse_at(document, index, what);
}

bool
document_string(struct document *document, const char *name, const struct document_lengths *lengths, struct span *out)
{
	size_t index;

	return find_index(document, name, &index) && document_string_at(document, index, lengths, out);
}

bool
document_bool(struct document *document, const char *name, bool *out)
{
	bool null;
	const struct document_member *member = find(document, name, &null);

	if (member == NULL)
		return false;
	if (member->value.type != JSON_BOOLEAN)
		return document_refuse(document, name, "must be true or false");
	*out = *member->value.text == 't';
	return true;
}

/* Whether a number is whole and fits. A fraction of zeros is allowed. */
static bool
whole_number(const struct json *number, int64_t *out)
{
	const char *p = number->text, *end = p + number->len;
	bool negative = *p == '-';
	int64_t value = 0;

	if (negative)
		p++;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, negative ? -(*p - '0') : *p - '0', &value))
			return false;
	if (p < end && *p == '.')
		for (p++; p < end && *p == '0'; p++)
			continue;
	*out = value;
	return p == end;
}

bool
document_int_at(struct document *document, size_t index, int64_t min, int64_t max, int64_t *out)
{
	const struct json *value = &document->members[index].value;
	char what[96];
	int64_t number;

	if (value->type == JSON_NUMBER && whole_number(value, &number) && number >= min && number <= max) {
		*out = number;
		return true;
	}
	(void)snprintf(what, sizeof what, "must be a whole number from %" PRId64 " to %" PRId64, min, max);
	return refuse_at(document, index, what);
}

bool
document_int(struct document *document, const char *name, int64_t min, int64_t max, int64_t *out)
{
	size_t index;

	return find_index(document, name, &index) && document_int_at(document, index, min, max, out);
}

bool
document_value(struct document *document, const char *name, size_t max, struct span *out)
{
	bool null;
	const struct document_member *member = find(document, name, &null);

	if (member == NULL)
		return false;
	if (member->value.len > max)
		return document_refuse(
		    document, name, "must have at most %zu bytes, and has %zu", max, member->value.len);
	*out = (struct span){member->value.text, member->value.len};
	return true;
}

bool
document_object(struct document *document, const char *name, size_t max, struct span *out)
{
	bool null;
	const struct document_member *member = find(document, name, &null);

	if (member != NULL && member->value.type != JSON_OBJECT)
		return document_refuse(document, name, "must be an object");
	return document_value(document, name, max, out);
}

static bool
inner(struct document *document, const char *name, bool object, struct document *out)
{
	bool null;
	const struct document_member *member = find(document, name, &null);
	struct scan scan;
	int len;

	if (member == NULL)
		return false;
	if (member->value.type != (object ? JSON_OBJECT : JSON_ARRAY))
		return document_refuse(document, name, "must be %s", object ? "an object" : "an array");
	*out = (struct document){.error = document->error};
	len = snprintf(out->path, sizeof out->path, "%s%s.", document->path, name);
	assert(len > 0 && (size_t)len < sizeof out->path);
	begin_texts(out, member->value.len);
	(void)scan_begin(&scan, member->value.text, member->value.len);
	if (read_members(out, &scan, object, member->value.text))
		return true;
	document_close(out);
	return false;
}

bool
document_inner_object(struct document *document, const char *name, struct document *out)
{
	return inner(document, name, true, out);
}

bool
document_inner_array(struct document *document, const char *name, struct document *out)
{
	return inner(document, name, false, out);
}

static bool
same_name(struct span a, struct span b)
{
	return a.len == b.len && memcmp(a.base, b.base, a.len) == 0;
}

/* Whether members[from..] has a member of that name. */
static bool
has_from(const struct document *document, size_t from, struct span name)
{
	for (size_t i = from; i < document->count; i++)
		if (same_name(document->members[i].name, name))
			return true;
	return false;
}

static void
write_member(struct bytes *out, size_t begin, const struct document_member *member)
{
	char *to;

	bytes_add(out, out->len == begin ? "{" : ",", 1);
	to = bytes_reserve(out, format_json_max(member->name.len));
	out->len += (size_t)(format_json_string(to, member->name.base, member->name.len) - to);
	bytes_add(out, ":", 1);
	bytes_add(out, member->value.text, member->value.len);
}

void
document_unknown(const struct document *document, const struct span *kept, struct bytes *out)
{
	size_t begin = out->len;

	if (kept != NULL) {
		struct document_error ignored = {0};
		struct document old;

		(void)document_open(&old, *kept, &ignored);
		for (size_t i = 0; i < old.count; i++)
			if (!has_from(document, 0, old.members[i].name))
				write_member(out, begin, &old.members[i]);
		document_close(&old);
	}
	for (size_t i = 0; i < document->count; i++) {
		const struct document_member *member = &document->members[i];

		if (!member->known && member->value.type != JSON_NULL && !has_from(document, i + 1, member->name))
			write_member(out, begin, member);
	}
	if (out->len > begin)
		bytes_add(out, "}", 1);
}
