/*
 * One event as a set of filters sees it: read once, then asked for each filter.
 *
 * Reading costs what scanning the event costs, and for each member or element of the objects and lists that paths lead
 * into one search among the names; a string in which `contains` looks is read a second time. A filter costs its
 * conditions, and for each of them at most the steps of its path and the length of the value it compares with.
 *
 * Pure, and nothing is allocated for an event. For one thread.
 */
#ifndef EVENT_FILTER_EVENT_H
#define EVENT_FILTER_EVENT_H

#include <stdbool.h>

#include "base/span.h"
#include "event/filter_set.h"

struct filter_event;

/* Room for one event after the other of that set. Never NULL. The caller frees it, before the set. */
struct filter_event *filter_event_new(const struct filter_set *set);
void filter_event_free(struct filter_event *event);

/*
 * Reads an event, which the caller keeps until it has asked for all filters. Returns false when text is not JSON; then
 * no filter holds.
 */
bool filter_event_read(struct filter_event *event, struct span text);

/* Whether filter `number` of the set holds for the event that was read last. */
bool filter_event_holds(struct filter_event *event, uint32_t number);

#endif
