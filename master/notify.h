/*
 * Reports the service's state to a service manager: the protocol of sd_notify(3), one datagram a message. Without a
 * manager these functions do nothing. Master only.
 */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/repeat.h"

struct notify {
	int fd; /* -1: no manager listens */
	struct sockaddr_un address;
	socklen_t address_len;
	int64_t watchdog_us; /* the manager kills the service after that time without WATCHDOG=1; 0: never */
	struct repeat failures; /* to send */
};

/*
 * Reads NOTIFY_SOCKET (a path, or @ and a name that is abstract), and WATCHDOG_USEC unless WATCHDOG_PID is another's.
 * An address that cannot be used is logged and then ignored.
 */
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);

/* Sends lines of NAME=value. Waits a second at most; a message that cannot be sent is logged and dropped. */
void notify_send(struct notify *notify, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
