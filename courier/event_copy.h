/* An event's bytes in memory, which its jobs share. The loop's thread alone calls these functions. */
#ifndef COURIER_EVENT_COPY_H
#define COURIER_EVENT_COPY_H

#include <stdint.h>

#include "courier/job.h"

/*
 * Makes a copy, with one reference for the caller; record NULL: the event is gone. event_copy_unref() drops a
 * reference.
 */
struct event_copy *event_copy_new(struct jobs *jobs, const uint8_t event_id[16], const struct record *record);
void event_copy_unref(struct jobs *jobs, struct event_copy *event);

#endif
