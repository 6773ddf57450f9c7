/* Sends a list of frames from its front. */
#include "server/control_outbox.h"

#include <string.h>

#include "base/channel.h"

/* An empty list with more memory than this is freed. A list of which more was sent is compacted. */
#define KEPT_BYTES ((size_t)1 << 20)

void
frame_list_add(struct bytes *list, const struct frame *frame)
{
	static struct bytes one;
	uint32_t len;

	one.len = 0;
	frame_write(&one, frame);
	len = (uint32_t)one.len;
	bytes_add(list, &len, sizeof len);
	bytes_add(list, one.base, one.len);
}

/* The length of the frame at `at`. */
static uint32_t
length_at(const struct bytes *list, size_t at)
{
	uint32_t len;

	memcpy(&len, list->base + at, sizeof len);
	return len;
}

void
frame_list_address(struct bytes *list, uint32_t receiver)
{
	for (size_t at = 0; at < list->len; at += sizeof(uint32_t) + length_at(list, at))
		frame_address(list->base + at + sizeof(uint32_t), receiver);
}

/* Removes the sent part of a list that never becomes empty. */
static void
compact(struct control_outbox *outbox)
{
	if (outbox->sent < KEPT_BYTES)
		return;
	outbox->list.len -= outbox->sent;
	memmove(outbox->list.base, outbox->list.base + outbox->sent, outbox->list.len);
	outbox->sent = 0;
}

void
control_outbox_send(struct control_outbox *outbox, const struct frame *frame)
{
	compact(outbox);
	frame_list_add(&outbox->list, frame);
	(void)control_outbox_flush(outbox);
}

void
control_outbox_send_list(struct control_outbox *outbox, const struct bytes *list)
{
	compact(outbox);
	bytes_add(&outbox->list, list->base, list->len);
	(void)control_outbox_flush(outbox);
}

bool
control_outbox_flush(struct control_outbox *outbox)
{
	while (outbox->sent < outbox->list.len) {
		uint32_t len = length_at(&outbox->list, outbox->sent);
		struct channel_message message = {.bytes = outbox->list.base + outbox->sent + sizeof len, .len = len};
		struct error err;

		if (channel_send(outbox->fd, &message, &err) != 0)
			return false;
		outbox->sent += sizeof len + len;
	}
	control_outbox_drop(outbox);
	return true;
}

void
control_outbox_drop(struct control_outbox *outbox)
{
	outbox->list.len = outbox->sent = 0;
	if (outbox->list.capacity > KEPT_BYTES)
		bytes_free(&outbox->list);
}
