/*
 * Tells the loop which nodes share the limits of endpoints (courier/share.h). They are those whose rows no other node
 * has adopted; also one that has left is one until then, as its last attempts may be under way. For the store thread.
 */
#ifndef COURIER_NODE_WATCH_H
#define COURIER_NODE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/repeat.h"
#include "courier/news.h"
#include "shm/node.h"
#include "store/db.h"

struct node_watch {
	struct news_queue *news; /* borrowed */
	bool speaks; /* it also logs what it tells, and whom it waits for */
	int64_t epoch; /* of the node's row at the last look; 0: it had none */
	bool joined; /* all others act by a version of changes that was read behind that row: they know of it */
	int64_t awaited; /* a version, by which some have not acted yet, or had not at the last look */
	int64_t since_us; /* steady: since when it is awaited */
	struct repeat late; /* for very long */
	struct share_view told;
	int64_t told_seen;
};

/*
 * Looks at the rows of nodes, and tells NEWS_NODES when the view is another one than that told, and NEWS_SEEN. row:
 * this node's, read before version was, which is that of changes; node_id 0: it has none. As db_query().
 */
int node_watch_look(
    struct node_watch *watch, struct db *db, const struct node_row *row, int64_t version, struct error *err);

#endif
