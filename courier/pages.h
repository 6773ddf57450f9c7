/*
 * Makes rounds over the rows of endpoints whose read_at has come: asks for pages, and takes jobs that are due soon into
 * memory. A round pauses when the endpoint has no room, and goes on from there. The loop's thread alone calls these
 * functions.
 */
#ifndef COURIER_PAGES_H
#define COURIER_PAGES_H

#include <stdint.h>

#include "base/repeat.h"
#include "courier/cancelled.h"
#include "courier/jobs.h"
#include "courier/store_thread.h"

#define PAGES_AT_ONCE 4u /* few: outcomes need the store thread more than rows do */

struct pages {
	struct jobs *jobs; /* with its read_at */
	struct store_thread *thread;
	struct cancelled *cancelled; /* gets the jobs that a parcel must not bring again */
	uint32_t reading; /* pages asked for */
	struct repeat places_lowered; /* places of orders */
};

/* Asks for pages that are due, a few at a time. Asks for an endpoint's configuration first. */
void pages_ask(struct pages *pages, int64_t now_us);

/* MESSAGE_PAGE: takes its rows. */
void pages_take(struct pages *pages, const struct message *message, int64_t now_us);

#endif
