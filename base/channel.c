/* sendmsg(2) and recvmsg(2) with one buffer and one control message. */
#include "base/channel.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))];
};

int
channel_open(int ends[2], size_t buffer_bytes, struct error *err)
{
	const int bytes = (int)buffer_bytes;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
		return error_errno(err, "cannot make a socket pair");
	for (int i = 0; i < 2; i++)
		(void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	return 0;
}

/* The condition that errno stands for, or <0. */
static int
failed(const char *what, struct error *err)
{
	if (errno == EAGAIN || errno == EINTR)
		return CHANNEL_AGAIN;
	if (errno == EPIPE || errno == ECONNRESET)
		return CHANNEL_CLOSED;
	return error_errno(err, "cannot %s a message", what);
}

int
channel_send(int end, const struct channel_message *message, struct error *err)
{
	const size_t fds_bytes = message->fd_count * sizeof *message->fds;
	union control control = {0};
	struct iovec iov = {.iov_base = message->bytes, .iov_len = message->len};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	assert(message->len > 0 && message->len <= CHANNEL_BYTES_MAX && message->fd_count <= CHANNEL_FDS_MAX);
	if (message->fd_count > 0) {
		struct cmsghdr *rights;

		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(fds_bytes);
		rights = CMSG_FIRSTHDR(&header);
		assert(rights != NULL);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(fds_bytes);
		memcpy(CMSG_DATA(rights), message->fds, fds_bytes);
	}
	return sendmsg(end, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? failed("send", err) : 0;
}

static void
close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

int
channel_receive(int end, struct channel_message *message, struct error *err)
{
	union control control;
	struct iovec iov = {.iov_base = message->bytes, .iov_len = message->len};
	struct msghdr header = {
	    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	ssize_t len = recvmsg(end, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *rights = len < 0 ? NULL : CMSG_FIRSTHDR(&header);
	int fds[CHANNEL_FDS_MAX];
	size_t count = 0;

	if (len < 0)
		return failed("receive", err);
	if (len == 0)
		return CHANNEL_CLOSED;
	if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
		count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
		memcpy(fds, CMSG_DATA(rights), count * sizeof *fds);
	}
	if ((header.msg_flags & MSG_TRUNC) != 0 || count > message->fd_count) {
		close_all(fds, count);
		return error_set(err, "a message is larger than %zu bytes or has more than %zu descriptors",
		    message->len, message->fd_count);
	}
	message->len = (size_t)len;
	message->fd_count = count;
	if (count > 0)
		memcpy(message->fds, fds, count * sizeof *fds);
	return 0;
}

int
channels_open(struct channels *channels, uint32_t count, size_t buffer_bytes, struct error *err)
{
	assert(count <= CHANNELS_MAX);
	for (channels->count = 0; channels->count < count; channels->count++)
		if (channel_open(channels->ends[channels->count], buffer_bytes, err) != 0) {
			channels_close_others(channels, CHANNELS_NONE, CHANNEL_BOTH_ENDS);
			return -1;
		}
	return 0;
}

void
channels_close_others(const struct channels *channels, uint32_t keep, int end)
{
	for (uint32_t i = 0; i < channels->count; i++)
		for (int e = 0; e < 2; e++)
			if ((keep != i && keep != CHANNELS_EACH) || (end != e && end != CHANNEL_BOTH_ENDS))
				close(channels->ends[i][e]);
}
