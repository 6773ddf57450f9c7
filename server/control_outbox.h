/*
 * Frames on their way to control: a list, in which each stands behind its length in four bytes, in front of a channel
 * that may be full. Acceptors.
 */
#ifndef SERVER_CONTROL_OUTBOX_H
#define SERVER_CONTROL_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "api/frame.h"
#include "base/bytes.h"

/* Appends a frame to a list. */
void frame_list_add(struct bytes *list, const struct frame *frame);

/* Writes the receiver into all frames of a list. */
void frame_list_address(struct bytes *list, uint32_t receiver);

struct control_outbox {
	int fd; /* an end of a channel */
	struct bytes list; /* what the channel has not taken */
	size_t sent; /* bytes of it that it has taken all the same */
};

/* Sends a frame, or all frames of a list, behind those that wait. */
void control_outbox_send(struct control_outbox *outbox, const struct frame *frame);
void control_outbox_send_list(struct control_outbox *outbox, const struct bytes *list);

/* Sends what the channel takes now. Returns whether nothing waits any more. */
bool control_outbox_flush(struct control_outbox *outbox);

/* Forgets what waits. */
void control_outbox_drop(struct control_outbox *outbox);

#endif
