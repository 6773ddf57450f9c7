/*
 * Telling a service manager how the service is: the protocol of sd_notify(3), one datagram a message. Everything here
 * does nothing when no manager listens. Master only.
 */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/repeat.h"

struct notify {
	int fd; /* -1: nobody listens */
	struct sockaddr_un address;
	socklen_t address_len;
	int64_t watchdog_us; /* how often the manager wants to hear WATCHDOG=1 at least; 0: never */
	struct repeat failures; /* to send */
};

/*
 * Reads NOTIFY_SOCKET (a path, or @ and a name that is abstract), and WATCHDOG_USEC unless WATCHDOG_PID is another's.
 * An address that cannot be used is logged and then ignored.
 */
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);

/* Sends lines of NAME=value. Waits a second at most; a message that could not be sent is logged and forgotten. */
void notify_send(struct notify *notify, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
