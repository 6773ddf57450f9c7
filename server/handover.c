/* Sends batches of connections as messages. bytes_fd, if any, is the first descriptor of its message. */
#include "server/handover.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/channel.h"
#include "base/files.h"

_Static_assert(HANDOVER_MAX + 1 <= CHANNEL_FDS_MAX, "a batch is one message");
_Static_assert(sizeof((struct handover_batch *)NULL)->notes <= CHANNEL_BYTES_MAX, "a batch is one message");

void
handover_clear(struct handover_batch *batch)
{
	batch->count = 0;
	batch->bytes_fd = -1;
	batch->bytes_len = 0;
}

static int
add_bytes(struct handover_batch *batch, const char *bytes, size_t len, struct error *err)
{
	if (batch->bytes_fd < 0) {
		int file = memfd_create("hooksd-handover", MFD_CLOEXEC);

		if (file < 0)
			return error_errno(err, "cannot make a memory file");
		batch->bytes_fd = file;
	}
	if (files_write_at(batch->bytes_fd, bytes, len, batch->bytes_len) != 0)
		return error_errno(err, "cannot write to a memory file");
	batch->bytes_len += (off_t)len;
	return 0;
}

int
handover_add(struct handover_batch *batch, int fd, struct handover_note note, const char *bytes, struct error *err)
{
	int copy;

	assert(batch->count < HANDOVER_MAX);
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return error_errno(err, "cannot keep a connection");
	if (note.bytes > 0 && add_bytes(batch, bytes, note.bytes, err) != 0) {
		close(copy);
		return -1;
	}
	batch->fds[batch->count] = copy;
	batch->notes[batch->count++] = note;
	return 0;
}

int
handover_send(int fd, struct handover_batch *batch, struct error *err)
{
	const size_t extra = batch->bytes_fd >= 0 ? 1 : 0;
	int fds[HANDOVER_MAX + 1] = {batch->bytes_fd};
	const struct channel_message message = {.bytes = batch->notes,
	    .len = batch->count * sizeof *batch->notes,
	    .fds = fds,
	    .fd_count = extra + batch->count};
	struct error reason;

	assert(batch->count > 0);
	memcpy(fds + extra, batch->fds, batch->count * sizeof *fds);
	switch (channel_send(fd, &message, &reason)) {
	case 0:
		break;
	case CHANNEL_AGAIN:
		return error_set(err, "cannot hand over %u connections: the channel is full", batch->count);
	case CHANNEL_CLOSED:
		return error_set(err, "cannot hand over %u connections: the channel is closed", batch->count);
	default:
		return error_set(err, "cannot hand over %u connections: %s", batch->count, reason.text);
	}
	for (size_t i = 0; i < message.fd_count; i++)
		close(fds[i]);
	handover_clear(batch);
	return 0;
}

int
handover_receive(int fd, struct handover_batch *batch, struct error *err)
{
	int fds[HANDOVER_MAX + 1];
	struct channel_message message = {
	    .bytes = batch->notes, .len = sizeof batch->notes, .fds = fds, .fd_count = HANDOVER_MAX + 1};
	size_t extra = 0;
	int rc;

	handover_clear(batch);
	rc = channel_receive(fd, &message, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	batch->count = (uint32_t)(message.len / sizeof *batch->notes);
	for (uint32_t i = 0; i < batch->count; i++)
		if (batch->notes[i].bytes > 0)
			extra = 1;
	if (extra > 0 && message.fd_count > 0)
		batch->bytes_fd = fds[0];
	for (uint32_t i = 0; i < batch->count; i++)
		batch->fds[i] = extra + i < message.fd_count ? fds[extra + i] : -1;
	return 0;
}
