/* Reports to the loop which tenants' deliveries are paused, and writes it to the segment. For the store thread. */
#ifndef COURIER_PAUSE_WATCH_H
#define COURIER_PAUSE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "courier/messages.h"
#include "courier/pauses.h"
#include "shm/segment.h"
#include "store/db.h"

struct pause_watch {
	const struct segment *segment; /* borrowed, as messages */
	uint32_t courier; /* its number: courier 0 writes pauses to the segment */
	struct message_queue *messages;
	bool started; /* the first look is over */
	struct pauses sent;
};

/* Reads the store, and sends MESSAGE_PAUSED if the pauses have changed. As db_query(). */
int pause_watch_look(struct pause_watch *watch, struct db *db, struct error *err);

/* Whether deliveries of the tenant are paused, by the last look. */
bool pause_watch_has(const struct pause_watch *watch, const char *tenant_id);

void pause_watch_free(struct pause_watch *watch);

#endif
