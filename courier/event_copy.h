/* An event's bytes in memory, which its jobs share. The loop's thread alone calls these functions. */
#ifndef COURIER_EVENT_COPY_H
#define COURIER_EVENT_COPY_H

#include <stdint.h>

#include "courier/job.h"

/* A copy with one reference, which the caller has; record NULL: there is none. The second gives a reference back. */
struct event_copy *event_copy_new(struct jobs *jobs, const uint8_t event_id[16], const struct record *record);
void event_copy_give(struct jobs *jobs, struct event_copy *event);

#endif
