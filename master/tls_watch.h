/*
 * Notices that the TLS files were replaced, by the kubelet (a Secret) or an ACME client (a renewed certificate), so
 * that no one has to send HUP. Master only.
 */
#ifndef MASTER_TLS_WATCH_H
#define MASTER_TLS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

#define TLS_WATCH_FILES 3

/* Identity and time of a file; all zero: it is missing, or no option names it. */
struct file_stamp {
	uint64_t device, inode, size;
	int64_t written_s, written_ns;
};

/* All zero: nothing was read. */
struct tls_watch {
	struct file_stamp read[TLS_WATCH_FILES]; /* right before the files were read */
	struct file_stamp seen[TLS_WATCH_FILES]; /* at the last look */
	int64_t next_us; /* next look, by the steady clock */
};

/* Call it right before reading the files. */
void tls_watch_reading(struct tls_watch *watch, const struct config *config);

/*
 * Looks at the files once a second. Returns true, once, if they differ from those read, all exist, and were stable for
 * a second, because many programs replace one file after the other.
 */
bool tls_watch_replaced(struct tls_watch *watch, const struct config *config, int64_t now_us);

#endif
