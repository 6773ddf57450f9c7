/*
 * One event, read once for a set of filters; each filter is then evaluated on the values found.
 *
 * Reading costs one scan of the event, plus one name lookup for each member or element of a container that a path leads
 * into. A string searched by `contains` is read twice. Each condition of a filter costs at most the steps of its path
 * plus the length of its value.
 *
 * Pure; allocates nothing per event. For one thread.
 */
#ifndef EVENT_FILTER_EVENT_H
#define EVENT_FILTER_EVENT_H

#include <stdbool.h>

#include "base/span.h"
#include "event/filter_set.h"

struct filter_event;

/* Makes the state for reading events, one at a time, with that set. Never NULL. The caller frees it before the set. */
struct filter_event *filter_event_new(const struct filter_set *set);
void filter_event_free(struct filter_event *event);

/*
 * Reads an event. text must stay valid until the last filter_event_holds(). Returns false if text is not JSON; then no
 * filter holds.
 */
bool filter_event_read(struct filter_event *event, struct span text);

/* Whether filter `number` of the set holds for the last event read. */
bool filter_event_holds(struct filter_event *event, uint32_t number);

#endif
