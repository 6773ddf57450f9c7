/* Writes the headers: the service's, the signatures, then the endpoint's own. */
#include "courier/request.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "base/version.h"
#include "courier/endpoint_config.h"
#include "courier/signature.h"
#include "event/record.h"

#define ROOM_KEPT (16 * 1024)

/* Adds a line. Leaves it out if the value has a control character, which could start another header. */
static void
add(struct bytes *out, const char *name, struct span value)
{
	if (value.base == NULL)
		return;
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.base[i] < ' ' || value.base[i] == 0x7f)
			return;
	bytes_add_text(out, name);
	bytes_add_text(out, ": ");
	bytes_add(out, value.base, value.len);
	bytes_add_text(out, "\r\n");
}

static void
add_id(struct bytes *out, const char *name, const uint8_t id[16])
{
	char text[FORMAT_UUID_BYTES];

	format_uuid(id, text);
	add(out, name, (struct span){text, sizeof text});
}

/* Adds the facts about event, job and attempt. */
static void
add_facts(struct bytes *out, const struct attempt_spec *spec, const struct request_facts *facts)
{
	struct span topic = record_published_string(spec->event, PUBLISHED_TOPIC);
	char number[16];
	int len = snprintf(number, sizeof number, "%u", spec->number);

	add_id(out, "x-hl-event-id", spec->event->event_id);
	add(out, "x-hl-topic", topic);
	add_id(out, "x-hl-delivery-id", facts->attempt_id);
	add_id(out, "x-hookline-event-id", spec->event->event_id);
	add(out, "x-hookline-topic", topic);
	add_id(out, "x-hookline-delivery-id", facts->attempt_id);
	add(out, "x-hookline-attempt", (struct span){number, (size_t)len});
	add(out, "traceparent", record_published_string(spec->event, PUBLISHED_TRACEPARENT));
	add(out, "tracestate", record_published_string(spec->event, PUBLISHED_TRACESTATE));
}

static void
add_signatures(struct bytes *out, const struct attempt_spec *spec, const struct request_facts *facts)
{
	const struct endpoint_config *endpoint = spec->endpoint;
	bool overlap = facts->now_us / 1000 < endpoint->old_secret_until_ms;
	struct signature_spec signature = {
	    .secret = {endpoint->secret.base, endpoint->secret.len},
	    .old_secret = {endpoint->old_secret.base, overlap ? endpoint->old_secret.len : 0},
	    .legacy = endpoint->legacy_headers,
	    .job_id = spec->job_id,
	    .now_us = facts->now_us,
	    .body = facts->body,
	};

	signature_add(out, &signature);
}

/* Makes a list of the lines, in place. */
static struct curl_slist *
list_lines(struct request *request)
{
	char *at = request->text.base, *end = at + request->text.len, *stop;
	uint32_t count = 0;

	while ((stop = memmem(at, (size_t)(end - at), "\r\n", 2)) != NULL) {
		assert(count < REQUEST_HEADERS_MAX);
		*stop = '\0';
		if (stop - at > 2 && stop[-1] == ' ' && stop[-2] == ':') { /* libcurl's notation for an empty value */
			stop[-2] = ';';
			stop[-1] = '\0';
		}
		request->lines[count] = (struct curl_slist){.data = at};
		if (count > 0)
			request->lines[count - 1].next = &request->lines[count];
		count++;
		at = stop + 2;
	}
	return request->lines;
}

struct curl_slist *
request_make(struct request *request, const struct attempt_spec *spec, const struct request_facts *facts)
{
	struct bytes *out = &request->text;

	out->len = 0;
	/* "Name:" removes libcurl's own header. */
	bytes_add_text(out, "Accept:\r\nExpect:\r\ncontent-type: application/json\r\n"
			    "user-agent: HookLine/" HOOKS_VERSION "\r\n");
	add(out, "host", facts->host);
	add_facts(out, spec, facts);
	add_signatures(out, spec, facts);
	bytes_add(out, spec->endpoint->headers.base, spec->endpoint->headers.len);
	return list_lines(request);
}

void
request_wipe(struct request *request)
{
	if (request->text.len > 0)
		explicit_bzero(request->text.base, request->text.len);
	request->text.len = 0;
	if (request->text.capacity > ROOM_KEPT)
		bytes_free(&request->text);
}

void
request_free(struct request *request)
{
	request_wipe(request);
	bytes_free(&request->text);
}
