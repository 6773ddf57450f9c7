/*
 * A claim of a new row raises the version of changes. A node reports a version only after its couriers act by it. So a
 * node that reports this version or a later one knows of the row.
 */
#include "courier/node_watch.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/webhooks/node_rows.h"

#define LATE_US (60 * INT64_C(1000000)) /* longer than any start, statement or restart of a process */

static void
send_view(struct node_watch *watch, const struct share_view *view)
{
	struct message *message;

	if (memcmp(view, &watch->sent, sizeof *view) == 0)
		return;
	message = message_new(MESSAGE_NODES, NULL, NULL);
	message->view = watch->sent = *view;
	message_queue_put(watch->messages, message);
	if (watch->logs && view->nodes > 0)
		log_info("the limits of endpoints are divided among the nodes", LOG_UINT("nodes", view->nodes));
}

static void
log_late(struct node_watch *watch, const char *name)
{
	int64_t now_us = clock_steady_us(), late_us = now_us - watch->since_us;

	if (!watch->logs || late_us < LATE_US || repeat_met(&watch->late, now_us) == 0)
		return;
	if (watch->joined)
		log_warning("another node does not follow changes: endpoints whose limits were changed may wait",
		    LOG_STR("name", name), LOG_INT("seconds", late_us / 1000000));
	else
		log_warning("this node sends nothing: another node has not confirmed that it knows this one",
		    LOG_STR("name", name), LOG_INT("seconds", late_us / 1000000));
}

static void
await(struct node_watch *watch, int64_t version)
{
	watch->awaited = version;
	watch->since_us = clock_steady_us();
	watch->late = (struct repeat){0};
}

static void
send_seen(struct node_watch *watch, int64_t version)
{
	struct message *message;

	if (version == watch->sent_seen)
		return;
	message = message_new(MESSAGE_SEEN, NULL, NULL);
	message->version = watch->sent_seen = version;
	message_queue_put(watch->messages, message);
}

int
node_watch_look(struct node_watch *watch, struct db *db, const struct node_row *row, int64_t version, struct error *err)
{
	struct share_view view = {0};
	struct node_peers peers;
	int rc;

	if (row->epoch != watch->epoch || version < watch->awaited) {
		watch->epoch = row->epoch;
		watch->joined = false;
		await(watch, version);
	}
	if (row->node_id == 0) {
		send_view(watch, &view);
		return 0;
	}
	rc = node_rows_peers(db, row, &peers, err);
	if (rc != 0)
		return rc;
	if (peers.seen_version >= watch->awaited) {
		watch->joined = true;
		await(watch, version);
	} else {
		log_late(watch, peers.last);
	}
	if (peers.ours && watch->joined)
		view = (struct share_view){.nodes = peers.nodes, .rank = peers.before};
	send_view(watch, &view);
	send_seen(watch, peers.seen_version);
	return 0;
}
