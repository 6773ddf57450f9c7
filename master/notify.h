/*
 * Reports the service's state to a service manager by the protocol of sd_notify(3), one datagram per message. Without a
 * manager these functions do nothing. Master only.
 */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/repeat.h"

struct notify {
	int fd; /* -1: no manager */
	struct sockaddr_un address;
	socklen_t address_len;
	int64_t watchdog_us; /* the manager kills the service after this time without WATCHDOG=1; 0: never */
	struct repeat failures; /* of sending */
};

/*
 * Reads NOTIFY_SOCKET (a path, or @ and an abstract name), and WATCHDOG_USEC unless WATCHDOG_PID is another process.
 * Logs and ignores an unusable address.
 */
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);

/* Sends lines of NAME=value. Waits at most a second; logs and drops a message that cannot be sent. */
void notify_send(struct notify *notify, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
