/*
 * Jobs that a late parcel must not bring again: those that were cancelled lately, and those whose rows were taken
 * before their parcel came. A publisher commits first and hands over afterwards, so the parcel may still come. An id is
 * kept as long as a parcel with it would be young enough to be taken. The loop's thread alone calls these functions;
 * times are of the steady clock.
 */
#ifndef COURIER_CANCELLED_H
#define COURIER_CANCELLED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/span.h"
#include "courier/id_table.h"

TAILQ_HEAD(cancelled_list, cancelled_job);

/* Made by cancelled_open(). */
struct cancelled {
	struct id_table table; /* by the job's id */
	struct cancelled_list list; /* the oldest first */
};

void cancelled_open(struct cancelled *cancelled);
void cancelled_close(struct cancelled *cancelled);

/* tenant_id and job_id (16 bytes) are copied. */
void cancelled_add(struct cancelled *cancelled, const char *tenant_id, const uint8_t job_id[16], int64_t now_us);

bool cancelled_has(const struct cancelled *cancelled, struct span tenant_id, const uint8_t job_id[16]);

/* Forgets ids that no parcel can bring any more. Call it first in each turn. */
void cancelled_forget(struct cancelled *cancelled, int64_t now_us);

#endif
