/* The state of a process's store, published in its slot. The process writes it, any process reads it. */
#ifndef SHM_STORE_REPORT_H
#define SHM_STORE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/shared_text.h"

/*
 * CONNECTING: the store was not reached since the master started, and no earlier run has left a spool. SPOOLING: the
 * store is lost, and the spool takes the events. UNAVAILABLE: the store is lost, and the spool is full or off.
 */
#define STORE_STATE_LIST(X)                                                                                            \
	X(CONNECTING, "connecting")                                                                                    \
	X(READY, "ready")                                                                                              \
	X(UNAVAILABLE, "unavailable")                                                                                  \
	X(SPOOLING, "spooling")

#define X(symbol, name) STORE_##symbol,
enum store_state { STORE_STATE_LIST(X) STORE_STATES };
#undef X

struct store_report {
	uint32_t state; /* enum store_state */
	struct shared_text error;
};

/* "ready"; "unknown" for a number that is no state: a damaged segment may hold any. */
const char *store_state_name(uint32_t state);

enum store_state store_report_state(const struct store_report *report);
void store_report_set_state(struct store_report *report, enum store_state state);

/* Why the store does not work; "" while it works or is untried. out gets a consistent copy. */
void store_report_error(const struct store_report *report, char out[ERROR_TEXT_MAX]);

/* For one thread at a time. */
void store_report_set_error(struct store_report *report, const char *text);

/* Whether the process has tried its store. */
bool store_report_tried(const struct store_report *report);

#endif
