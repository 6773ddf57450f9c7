/*
 * Marks the jobs of endpoints that have begun or ended to hold: `held` jobs do not expire. Delivery does not go by
 * these marks, so they may come late: a slice of rows at a time, when the store thread has nothing more urgent to do.
 */
#ifndef COURIER_HOLDER_H
#define COURIER_HOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/repeat.h"
#include "courier/id_table.h"
#include "courier/pauses.h"
#include "store/db.h"

/* All zero has nothing to do. */
struct holder {
	struct holding *first, *last;
	struct id_table table; /* the same, by endpoint */
	struct repeat refused;
};

/* What an endpoint is. tenant_id and endpoint_id (16 bytes) are borrowed. */
struct hold {
	const char *tenant_id;
	const uint8_t *endpoint_id;
	bool holds; /* else its jobs are pending */
	bool by_pause; /* it holds as long as deliveries of its tenant are paused */
	int64_t lifetime_ms; /* so long may jobs wait that are held no more */
	const uint8_t *after; /* jobs behind that one (16 bytes) are to be marked; NULL: all */
};

/* The endpoint's jobs are to be marked, and in the same way those that were asked for before. */
void holder_add(struct holder *holder, const struct hold *hold);

/* The same for an endpoint of which it is only known that deliveries of its tenant are paused. */
void holder_add_paused(struct holder *holder, const char *tenant_id, const uint8_t endpoint_id[16]);

/* The pauses are these by now: forgets endpoints that were to hold by one that has ended. */
void holder_end_pauses(struct holder *holder, const struct pauses *pauses);

bool holder_has_work(const struct holder *holder);

/* Whether the endpoint's jobs are still to be marked. */
bool holder_has(const struct holder *holder, const uint8_t endpoint_id[16]);

/*
 * Marks a slice of the node's rows. As db_commit() without DB_REFUSED, after which the endpoint's rows are left as they
 * are; after any result but 0 the slice is still to be marked.
 */
int holder_step(struct holder *holder, struct db *db, int64_t node_id, struct error *err);

/* Forgets what is still to be marked. */
void holder_clear(struct holder *holder);

#endif
