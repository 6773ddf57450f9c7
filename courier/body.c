/* Joins bodies from bytes: no event is parsed and written again. */
#include "courier/body.h"

#include <stdio.h>

#include "base/format.h"
#include "event/json_edit.h"
#include "event/name_table.h"
#include "event/published_json.h"
#include "event/transform_apply.h"

struct body_maker {
	struct bytes event; /* before the transform */
	struct json_edit *edit; /* of transforms */
	struct json_edit *finder; /* of payloads in what they make */
	struct name_table payload; /* one name */
};

struct body_maker *
body_maker_new(void)
{
	struct body_maker *maker = mem_new(1, sizeof *maker);

	maker->edit = json_edit_new();
	maker->finder = json_edit_new();
	name_table_add(&maker->payload, (struct span){"payload", strlen("payload")});
	name_table_seal(&maker->payload);
	return maker;
}

void
body_maker_free(struct body_maker *maker)
{
	bytes_free(&maker->event);
	json_edit_free(maker->edit);
	json_edit_free(maker->finder);
	name_table_free(&maker->payload);
	free(maker);
}

static void
add_stored(struct bytes *out, const struct record *event)
{
	bytes_add_text(out, "{");
	published_json_members(out, event);
	bytes_add_text(out, "}");
}

/* The transformed event. It is valid until the maker transforms another one. */
static struct span
transformed(struct body_maker *maker, const struct body_spec *spec)
{
	maker->event.len = 0;
	add_stored(&maker->event, spec->event);
	return transform_apply(spec->transform, (struct span){maker->event.base, maker->event.len}, maker->edit);
}

static void
add_event(struct body_maker *maker, struct bytes *out, const struct body_spec *spec)
{
	struct span event;

	if (spec->transform == NULL) {
		add_stored(out, spec->event);
		return;
	}
	event = transformed(maker, spec);
	bytes_add(out, event.base, event.len);
}

/* The payload of a transformed event. */
static struct span
payload_of(struct body_maker *maker, struct span event)
{
	uint32_t object, member;

	json_edit_begin(maker->finder, &maker->payload, event);
	object = json_edit_open(maker->finder, JSON_EDIT_ALL);
	member = object == JSON_EDIT_NONE ? JSON_EDIT_NONE : json_edit_find(maker->finder, object, 0);
	return member == JSON_EDIT_NONE ? (struct span){"null", strlen("null")}
					: json_edit_value(maker->finder, member).text;
}

static void
add_envelope(struct body_maker *maker, struct bytes *out, const struct body_spec *spec)
{
	char attempt[FORMAT_UUID_BYTES + 1] = "", event[FORMAT_UUID_BYTES + 1] = "", job[FORMAT_UUID_BYTES + 1] = "";
	char text[128];
	int len;

	format_uuid(spec->attempt_id, attempt);
	format_uuid(spec->event->event_id, event);
	format_uuid(spec->job_id, job);
	len = snprintf(text, sizeof text, "{\"attempt\":%u,\"attempt_id\":\"%s\",\"event\":", spec->number, attempt);
	bytes_add(out, text, (size_t)len);
	add_event(maker, out, spec);
	len = snprintf(
	    text, sizeof text, ",\"event_id\":\"%s\",\"hookline_version\":\"1\",\"job_id\":\"%s\"}", event, job);
	bytes_add(out, text, (size_t)len);
}

struct span
body_make(struct body_maker *maker, const struct body_spec *spec, struct bytes *out)
{
	out->len = 0;
	switch (spec->kind) {
	case BODY_ENVELOPE:
		add_envelope(maker, out, spec);
		break;
	case BODY_BARE_EVENT:
		add_event(maker, out, spec);
		break;
	case BODY_PAYLOAD:
		return spec->transform == NULL ? record_data(spec->event) : payload_of(maker, transformed(maker, spec));
	}
	return (struct span){out->base, out->len};
}
