/* The segment may show the pauses of an earlier run, so the first look always writes them. */
#include "courier/pause_watch.h"

#include <string.h>

#include "shm/counters.h"

/*
 * Writes the pauses to the segment, for health and metrics. Reasons given by persons are not public, so they are left
 * out.
 */
static void
show(const struct pause_watch *watch)
{
	struct courier_slot *slot = segment_courier(watch->segment, watch->courier);
	const char *why = "";

	if (watch->courier != 0)
		return;
	if (watch->sent.all)
		why = watch->sent.all_reason != NULL ? watch->sent.all_reason : "an administrator has paused them";
	courier_set_pause_reason(slot, why);
	level_set(&slot->process, LEVEL_DELIVERIES_PAUSED, watch->sent.all);
	level_set(&slot->process, LEVEL_TENANTS_PAUSED, watch->sent.count);
}

int
pause_watch_look(struct pause_watch *watch, struct db *db, struct error *err)
{
	struct pauses pauses;
	int rc = pauses_read(&pauses, db, err);
	bool same = rc == 0 && pauses_are_same(&pauses, &watch->sent);

	if (rc != 0)
		return rc;
	if (!same) {
		struct message *message = message_new(MESSAGE_PAUSED, NULL, NULL);

		message->pauses = pauses_copy(&pauses);
		message_queue_put(watch->messages, message);
	}
	pauses_free(&watch->sent);
	watch->sent = pauses;
	if (!same || !watch->started)
		show(watch);
	watch->started = true;
	return 0;
}

bool
pause_watch_has(const struct pause_watch *watch, const char *tenant_id)
{
	return pauses_have(&watch->sent, (struct span){tenant_id, strlen(tenant_id)});
}

void
pause_watch_free(struct pause_watch *watch)
{
	pauses_free(&watch->sent);
}
