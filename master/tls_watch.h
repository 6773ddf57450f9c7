/*
 * Notices that somebody has replaced the files of TLS: the kubelet those of a Secret, an ACME client a certificate that
 * it has renewed. Nobody has to send HUP then. Master only.
 */
#ifndef MASTER_TLS_WATCH_H
#define MASTER_TLS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

#define TLS_WATCH_FILES 3

/* Which file it is and when it was written; all zero: it is not there, or no option names it. */
struct file_stamp {
	uint64_t device, inode, size;
	int64_t written_s, written_ns;
};

/* All zero: nothing has been read. */
struct tls_watch {
	struct file_stamp read[TLS_WATCH_FILES]; /* as they were right before they were read */
	struct file_stamp seen[TLS_WATCH_FILES]; /* at the last look */
	int64_t next_us; /* look, by the steady clock */
};

/* The files are read right after this. */
void tls_watch_reading(struct tls_watch *watch, const struct config *config);

/*
 * Looks once a second. True, once, when the files are others than those that were read, are all there, and have been
 * the same for a second: many programs replace one after the other.
 */
bool tls_watch_replaced(struct tls_watch *watch, const struct config *config, int64_t now_us);

#endif
