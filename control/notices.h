/*
 * Publishes notices as events: one transaction adds the event and its jobs by the present subscriptions, and removes
 * the notice (store/webhooks/notice_rows.h). So each notice becomes exactly one event, whatever process or node dies.
 */
#ifndef CONTROL_NOTICES_H
#define CONTROL_NOTICES_H

#include "base/error.h"
#include "base/repeat.h"
#include "config/config.h"
#include "shm/segment.h"
#include "store/db.h"
#include "store/webhooks/router.h"

/* For one thread. The pointers are borrowed. */
struct notices {
	const struct config *config;
	const struct segment *segment;
	struct router *router;
	struct repeat refused;
};

/* Publishes notices until none is left or the turn's time is over. In no transaction. 0 or <0. */
int notices_turn(struct notices *notices, struct db *db, struct error *err);

#endif
