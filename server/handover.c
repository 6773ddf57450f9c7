/* Sending and receiving parcels of connections. The descriptor of the bytes, if any, is the first of its message. */
#include "server/handover.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/files.h"
#include "config/config.h"

/* Parcels that wait for a successor take buffer space; the kernel grants what it allows of this. */
#define PAIR_BUFFER_BYTES (8 << 20)

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE((HANDOVER_MAX + 1) * sizeof(int))];
};

int
handover_open(struct handover *handover, uint32_t acceptors, struct error *err)
{
	const int buffer = PAIR_BUFFER_BYTES;

	for (handover->count = 0; handover->count < acceptors; handover->count++) {
		int *pair = handover->fds[handover->count];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
			error_errno(err, "cannot make a socket pair");
			handover_close_others(handover, ACCEPTORS_MAX);
			return -1;
		}
		(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
	}
	return 0;
}

void
handover_close_others(const struct handover *handover, uint32_t acceptor)
{
	for (uint32_t i = 0; i < handover->count; i++)
		if (i != acceptor) {
			close(handover->fds[i][0]);
			close(handover->fds[i][1]);
		}
}

static int
add_bytes(struct handover_parcel *parcel, const char *bytes, size_t len, struct error *err)
{
	off_t end;

	if (parcel->bytes_fd == 0) {
		int file = memfd_create("hooksd-handover", MFD_CLOEXEC);

		if (file < 0)
			return error_errno(err, "cannot make a memory file");
		parcel->bytes_fd = file;
	}
	end = lseek(parcel->bytes_fd, 0, SEEK_CUR);
	if (files_write(parcel->bytes_fd, bytes, len) != 0) {
		error_errno(err, "cannot write to a memory file");
		(void)lseek(parcel->bytes_fd, end, SEEK_SET);
		return -1;
	}
	return 0;
}

int
handover_add(struct handover_parcel *parcel, int fd, uint32_t number, const char *bytes, size_t len, struct error *err)
{
	int copy;

	assert(parcel->count < HANDOVER_MAX && len <= UINT32_MAX);
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return error_errno(err, "cannot keep a connection");
	if (len > 0 && add_bytes(parcel, bytes, len, err) != 0) {
		close(copy);
		return -1;
	}
	parcel->fds[parcel->count] = copy;
	parcel->notes[parcel->count++] = (struct handover_note){.number = number, .bytes = (uint32_t)len};
	return 0;
}

int
handover_send(int fd, struct handover_parcel *parcel, struct error *err)
{
	size_t extra = parcel->bytes_fd != 0 ? 1 : 0;
	size_t fds_bytes = (extra + parcel->count) * sizeof(int);
	union control control = {0};
	struct iovec iov = {.iov_base = parcel->notes, .iov_len = parcel->count * sizeof *parcel->notes};
	struct msghdr message = {
	    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(fds_bytes)};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

	assert(parcel->count > 0);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(fds_bytes);
	memcpy(CMSG_DATA(rights), &parcel->bytes_fd, extra * sizeof(int));
	memcpy(CMSG_DATA(rights) + extra * sizeof(int), parcel->fds, parcel->count * sizeof(int));
	if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return error_errno(err, "cannot hand over %u connections", parcel->count);
	if (extra > 0)
		close(parcel->bytes_fd);
	for (uint32_t i = 0; i < parcel->count; i++)
		close(parcel->fds[i]);
	parcel->count = 0;
	parcel->bytes_fd = 0;
	return 0;
}

int
handover_receive(int fd, struct handover_parcel *parcel, struct error *err)
{
	union control control;
	struct iovec iov = {.iov_base = parcel->notes, .iov_len = sizeof parcel->notes};
	struct msghdr message = {
	    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	ssize_t len = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *rights = len < 0 ? NULL : CMSG_FIRSTHDR(&message);
	int fds[HANDOVER_MAX + 1];
	size_t received = 0, extra = 0;

	parcel->count = 0;
	parcel->bytes_fd = 0;
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (len < 0)
		return error_errno(err, "cannot receive connections");
	if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
		received = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(rights), received * sizeof(int));
	}
	parcel->count = (uint32_t)((size_t)len / sizeof *parcel->notes);
	for (uint32_t i = 0; i < parcel->count; i++)
		if (parcel->notes[i].bytes > 0)
			extra = 1;
	if (extra > 0)
		parcel->bytes_fd = received > 0 ? fds[0] : -1;
	for (uint32_t i = 0; i < parcel->count; i++)
		parcel->fds[i] = extra + i < received ? fds[extra + i] : -1;
	return 0;
}
