/*
 * Reports to the loop which nodes share the limits of endpoints (courier/share.h): all nodes whose rows were not
 * adopted. A node that has left counts until then, because its last attempts may be under way. For the store thread.
 */
#ifndef COURIER_NODE_WATCH_H
#define COURIER_NODE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/repeat.h"
#include "courier/messages.h"
#include "shm/node.h"
#include "store/db.h"

struct node_watch {
	struct message_queue *messages; /* borrowed */
	bool logs; /* it also logs new views, and the nodes that it waits for */
	int64_t epoch; /* of the node's row at the last look; 0: no row */
	bool joined; /* all others act by a version of changes read after that row was made: they know of it */
	int64_t awaited; /* a version by which some nodes did not act at the last look */
	int64_t since_us; /* steady: since when */
	struct repeat late; /* the wait is very long */
	struct share_view sent;
	int64_t sent_seen;
};

/*
 * Looks at the rows of nodes, and sends MESSAGE_NODES if the view has changed, and MESSAGE_SEEN. row: this node's;
 * node_id 0: it has none. version: of changes, read after row. As db_query().
 */
int node_watch_look(
    struct node_watch *watch, struct db *db, const struct node_row *row, int64_t version, struct error *err);

#endif
