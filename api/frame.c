/*
 * Writes and reads sequences of numbers and texts. A text is its length, its bytes and a NUL; length ABSENT: no text.
 */
#include "api/frame.h"

#include <assert.h>
#include <string.h>

#define ABSENT UINT32_MAX

/* ---- numbers and texts ---- */

static void
add_number(struct bytes *out, uint32_t number)
{
	bytes_add(out, &number, sizeof number);
}

static void
add_text(struct bytes *out, struct span text)
{
	if (text.base == NULL) {
		add_number(out, ABSENT);
		return;
	}
	add_number(out, (uint32_t)text.len);
	bytes_add(out, text.base, text.len);
	bytes_add(out, "", 1);
}

/* Removes len bytes from the front. Returns them, or NULL if there are fewer. */
static const char *
take(struct span *rest, size_t len)
{
	const char *at = rest->base;

	if (rest->len < len)
		return NULL;
	rest->base += len;
	rest->len -= len;
	return at;
}

static bool
take_number(struct span *rest, uint32_t *number)
{
	const char *at = take(rest, sizeof *number);

	if (at != NULL)
		memcpy(number, at, sizeof *number);
	return at != NULL;
}

static bool
take_text(struct span *rest, struct span *text)
{
	uint32_t len;

	if (!take_number(rest, &len))
		return false;
	if (len == ABSENT) {
		*text = (struct span){NULL, 0};
		return true;
	}
	/* The text and its NUL. size_t keeps the sum from overflowing. */
	*text = (struct span){take(rest, (size_t)len + 1), len};
	return text->base != NULL && memchr(text->base, '\0', (size_t)len + 1) == text->base + len;
}

/* ---- frames ---- */

void
frame_write(struct bytes *out, const struct frame *frame)
{
	const uint8_t head[4] = {(uint8_t)frame->kind, frame->end};

	assert(out->len == 0 && frame->payload.len <= FRAME_BYTES_MAX - FRAME_HEAD_BYTES);
	bytes_add(out, head, sizeof head);
	add_number(out, frame->sender);
	add_number(out, frame->receiver);
	add_number(out, frame->request);
	assert(out->len == FRAME_HEAD_BYTES);
	bytes_add(out, frame->payload.base, frame->payload.len);
}

void
frame_address(char *bytes, uint32_t receiver)
{
	memcpy(bytes + 8, &receiver, sizeof receiver);
}

bool
frame_read(struct span bytes, struct frame *frame)
{
	const uint8_t *head = (const uint8_t *)take(&bytes, 4);

	*frame = (struct frame){0};
	if (head == NULL || head[0] >= FRAME_KINDS || head[1] > 1 || head[2] != 0 || head[3] != 0)
		return false;
	frame->kind = head[0];
	frame->end = head[1];
	if (!take_number(&bytes, &frame->sender) || !take_number(&bytes, &frame->receiver) ||
	    !take_number(&bytes, &frame->request))
		return false;
	frame->payload = bytes;
	return bytes.len <= FRAME_BYTES_MAX - FRAME_HEAD_BYTES;
}

/* ---- payloads ---- */

/* The texts of a request, in the order of the payload. */
#define REQUEST_TEXTS 10

static void
list_texts(struct frame_request *request, struct span *texts[REQUEST_TEXTS])
{
	struct span *const list[REQUEST_TEXTS] = {&request->params[0], &request->params[1], &request->query,
	    &request->if_match, &request->idempotency_key, &request->last_event_id, &request->base_url,
	    &request->caller.tenant_id, &request->caller.key_id, &request->caller.key_name};

	memcpy(texts, list, sizeof list);
}

bool
frame_write_request(struct bytes *out, const struct frame_request *request)
{
	struct frame_request copy = *request;
	struct span *texts[REQUEST_TEXTS];
	size_t begin = out->len, len = 3 * sizeof(uint32_t);

	list_texts(&copy, texts);
	for (int i = 0; i < REQUEST_TEXTS; i++)
		len += sizeof(uint32_t) + texts[i]->len + 1;
	if (len > FRAME_BYTES_MAX - FRAME_HEAD_BYTES)
		return false;
	add_number(out, request->operation);
	add_number(out, request->caller.scopes);
	add_number(out, request->caller.is_start_key);
	for (int i = 0; i < REQUEST_TEXTS; i++)
		add_text(out, *texts[i]);
	assert(out->len - begin <= len);
	return true;
}

bool
frame_read_request(struct span payload, struct frame_request *request)
{
	struct span *texts[REQUEST_TEXTS];
	uint32_t operation, is_start_key;

	if (!take_number(&payload, &operation) || operation >= API_OPERATIONS ||
	    !take_number(&payload, &request->caller.scopes) || !take_number(&payload, &is_start_key) ||
	    is_start_key > 1)
		return false;
	request->operation = operation;
	request->caller.is_start_key = is_start_key;
	list_texts(request, texts);
	for (int i = 0; i < REQUEST_TEXTS; i++)
		if (!take_text(&payload, texts[i]))
			return false;
	return payload.len == 0;
}

void
frame_write_reply(struct bytes *out, const struct frame_reply *reply)
{
	add_number(out, reply->status);
	add_number(out, reply->retry_after_seconds);
	bytes_add(out, &reply->length, sizeof reply->length);
	add_text(out, reply->etag);
}

bool
frame_read_reply(struct span payload, struct frame_reply *reply)
{
	const char *length;

	if (!take_number(&payload, &reply->status) || reply->status < 200 || reply->status > 599 ||
	    !take_number(&payload, &reply->retry_after_seconds) ||
	    (length = take(&payload, sizeof reply->length)) == NULL)
		return false;
	memcpy(&reply->length, length, sizeof reply->length);
	return take_text(&payload, &reply->etag) && payload.len == 0;
}

void
frame_write_credit(struct bytes *out, uint32_t bytes)
{
	add_number(out, bytes);
}

bool
frame_read_credit(struct span payload, uint32_t *bytes)
{
	return take_number(&payload, bytes) && payload.len == 0;
}
