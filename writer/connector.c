/* Opens a sink in a thread, which inherits the blocked signals. */
#include "writer/connector.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int
connector_init(struct connector *connector, struct sink *sink, struct error *err)
{
	*connector = (struct connector){.sink = sink, .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
	return connector->fd < 0 ? error_errno(err, "cannot make an eventfd") : 0;
}

static void
announce_result(const struct connector *connector)
{
	(void)!write(connector->fd, &(uint64_t){1}, sizeof(uint64_t));
}

/* The thread's function. */
static void *
open_sink(void *argument)
{
	struct connector *connector = argument;

	connector->result = connector->sink->ops->open(connector->sink, &connector->err);
	announce_result(connector);
	return NULL;
}

void
connector_start(struct connector *connector)
{
	assert(!connector->running);
	connector->running = true;
	connector->failure = pthread_create(&connector->thread, NULL, open_sink, connector);
	if (connector->failure != 0)
		announce_result(connector);
}

int
connector_result(struct connector *connector, struct error *err)
{
	uint64_t count;

	if (read(connector->fd, &count, sizeof count) != (ssize_t)sizeof count)
		return CONNECTOR_BUSY;
	connector->running = false;
	if (connector->failure != 0) {
		errno = connector->failure;
		return error_errno(err, "cannot start a thread");
	}
	(void)pthread_join(connector->thread, NULL);
	*err = connector->err;
	return connector->result;
}
