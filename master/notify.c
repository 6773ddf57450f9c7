/* Implements sd_notify(3): one datagram needs no library. */
#include "master/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* Reads a positive number of microseconds, or returns 0. */
static int64_t
number_of(const char *text)
{
	char *end;
	long long n;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	n = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' ? n : 0;
}

void
notify_open(struct notify *notify)
{
	const struct timeval wait = {.tv_sec = 1};
	const char *path = getenv("NOTIFY_SOCKET");
	const char *watched = getenv("WATCHDOG_PID");
	size_t len = path != NULL ? strlen(path) : 0;

	*notify = (struct notify){.fd = -1, .address = {.sun_family = AF_UNIX}};
	if (len == 0)
		return;
	if (len >= sizeof notify->address.sun_path || (path[0] != '/' && path[0] != '@')) {
		log_warning("NOTIFY_SOCKET is no address of a unix socket: ignored", LOG_STR("address", path));
		return;
	}
	memcpy(notify->address.sun_path, path, len);
	if (path[0] == '@')
		notify->address.sun_path[0] = '\0';
	notify->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify->fd < 0) {
		log_warning("cannot make a socket for NOTIFY_SOCKET", LOG_STR("error", strerror(errno)));
		return;
	}
	(void)setsockopt(notify->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	if (watched == NULL || number_of(watched) == getpid())
		notify->watchdog_us = number_of(getenv("WATCHDOG_USEC"));
}

void
notify_close(struct notify *notify)
{
	if (notify->fd >= 0)
		close(notify->fd);
	notify->fd = -1;
}

static void
report_result(struct notify *notify, bool sent)
{
	int64_t now = clock_steady_us();
	uint64_t times = sent ? repeat_over(&notify->failures, now) : repeat_met(&notify->failures, now);

	if (times > 0 && sent)
		log_info("the service manager is notified again", LOG_UINT("times", times));
	else if (times > 0)
		log_warning(
		    "cannot notify the service manager", LOG_STR("error", strerror(errno)), LOG_UINT("times", times));
}

void
notify_send(struct notify *notify, const char *format, ...)
{
	char text[1024];
	va_list arguments;
	int len;

	if (notify->fd < 0)
		return;
	va_start(arguments, format);
	len = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (len >= (int)sizeof text)
		len = sizeof text - 1;
	report_result(notify, sendto(notify->fd, text, (size_t)len, MSG_NOSIGNAL,
				  (const struct sockaddr *)&notify->address, notify->address_len) >= 0);
}
