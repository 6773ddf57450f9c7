/*
 * Arbitrary bytes as a frame between an acceptor and control. A frame that is accepted, or the payload of its kind, is
 * written again as the same bytes. So there is only one way to write it, and every part of it was read.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/frame.h"
#include "tests/fuzz/target.h"

/* Returns whether the payload is one of its kind. If so, *out is the payload when it is written again. */
static bool
read_payload(const struct frame *frame, struct bytes *out)
{
	struct frame_request request;
	struct frame_reply reply;
	uint32_t credit;

	switch (frame->kind) {
	case FRAME_REQUEST:
		return frame_read_request(frame->payload, &request) && frame_write_request(out, &request);
	case FRAME_HEAD:
		if (!frame_read_reply(frame->payload, &reply))
			return false;
		frame_write_reply(out, &reply);
		return true;
	case FRAME_CREDIT:
		if (!frame_read_credit(frame->payload, &credit))
			return false;
		frame_write_credit(out, credit);
		return true;
	default:
		return false;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Memory that ends where the frame ends, so that a sanitizer sees a read past its end. */
	char *copy = malloc(size + 1);
	struct bytes again = {0}, payload = {0};
	struct frame frame;

	assert(copy != NULL);
	memcpy(copy, data, size);
	copy = realloc(copy, size > 0 ? size : 1);
	assert(copy != NULL);
	if (frame_read((struct span){copy, size}, &frame)) {
		frame_write(&again, &frame);
		assert(again.len == size && memcmp(again.base, copy, size) == 0);
		if (read_payload(&frame, &payload))
			assert(payload.len == frame.payload.len &&
			       memcmp(payload.base, frame.payload.base, payload.len) == 0);
	}
	bytes_free(&again);
	bytes_free(&payload);
	free(copy);
	return 0;
}
