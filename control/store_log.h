/*
 * The size of the embedded store's write-ahead log, as a metric and, where it is large, in the log. A program with an
 * open transaction, perhaps a person's shell, keeps it from being emptied. For the loop of control.
 */
#ifndef CONTROL_STORE_LOG_H
#define CONTROL_STORE_LOG_H

#include <stdint.h>

#include "base/repeat.h"
#include "config/config.h"
#include "shm/slots.h"

struct store_log { /* all zero: nobody has looked yet */
	int64_t look_us; /* steady, the next time */
	struct repeat large;
};

/* Called in each turn; looks once a second. slot: control's. */
void store_log_look(struct store_log *watch, const struct config *config, struct process_slot *slot, int64_t now_us);

#endif
