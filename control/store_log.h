/*
 * Watches the size of the embedded store's write-ahead log: a metric, and a warning if it is large. A program with an
 * open transaction, perhaps a person's shell, keeps the log from being emptied. For the loop of control.
 */
#ifndef CONTROL_STORE_LOG_H
#define CONTROL_STORE_LOG_H

#include <stdint.h>

#include "base/repeat.h"
#include "config/config.h"
#include "shm/slots.h"

struct store_log { /* all zero: no look yet */
	int64_t look_us; /* steady, the next time */
	struct repeat large;
};

/* Call it in each turn; it looks once a second. slot: control's. */
void store_log_look(struct store_log *watch, const struct config *config, struct process_slot *slot, int64_t now_us);

#endif
