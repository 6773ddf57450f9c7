/* Opening a sink in a thread. Signals are blocked in it as in the thread that starts it. */
#include "writer/connector.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int
opener_init(struct opener *opener, struct sink *sink, struct error *err)
{
	*opener = (struct opener){.sink = sink, .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
	return opener->fd < 0 ? error_errno(err, "cannot make an eventfd") : 0;
}

static void *
run(void *argument)
{
	struct opener *opener = argument;
	const uint64_t one = 1;

	opener->result = opener->sink->ops->open(opener->sink, &opener->err);
	(void)!write(opener->fd, &one, sizeof one);
	return NULL;
}

void
opener_start(struct opener *opener)
{
	assert(!opener->running);
	opener->running = true;
	opener->failure = pthread_create(&opener->thread, NULL, run, opener);
	if (opener->failure != 0)
		(void)!write(opener->fd, &(uint64_t){1}, sizeof(uint64_t));
}

int
opener_result(struct opener *opener, struct error *err)
{
	uint64_t count;

	if (read(opener->fd, &count, sizeof count) != (ssize_t)sizeof count)
		return OPENER_BUSY;
	opener->running = false;
	if (opener->failure != 0) {
		errno = opener->failure;
		return error_errno(err, "cannot start a thread");
	}
	(void)pthread_join(opener->thread, NULL);
	*err = opener->err;
	return opener->result;
}
