/* Frames that wait for the channel to control. In a list of frames each follows its length in four bytes. Acceptors. */
#ifndef SERVER_CONTROL_OUTBOX_H
#define SERVER_CONTROL_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "api/frame.h"
#include "base/bytes.h"

/* Appends a frame to a list. */
void frame_list_add(struct bytes *list, const struct frame *frame);

/* Sets the receiver of all frames of a list. */
void frame_list_address(struct bytes *list, uint32_t receiver);

struct control_outbox {
	int fd; /* an end of a channel */
	struct bytes list; /* frames to send */
	size_t sent; /* bytes of list already sent */
};

/* Send a frame, or all frames of a list, after those that wait. */
void control_outbox_send(struct control_outbox *outbox, const struct frame *frame);
void control_outbox_send_list(struct control_outbox *outbox, const struct bytes *list);

/* Sends as much as the channel accepts. Returns whether all is sent. */
bool control_outbox_flush(struct control_outbox *outbox);

/* Drops all waiting frames. */
void control_outbox_drop(struct control_outbox *outbox);

#endif
