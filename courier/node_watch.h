/*
 * Tells the loop which nodes share the limits of endpoints (courier/share.h). They are those whose rows no other node
 * has adopted; also one that has left is one until then, as its last attempts may be under way. For the store thread.
 */
#ifndef COURIER_NODE_WATCH_H
#define COURIER_NODE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "courier/news.h"
#include "shm/node.h"
#include "store/db.h"

struct node_watch {
	struct news_queue *news; /* borrowed */
	bool speaks; /* it also logs what it tells */
	int64_t epoch; /* of the node's row at the last look; 0: it had none */
	int64_t version; /* of changes: others that act by it know of that row */
	bool joined; /* all others do */
	struct share_view told;
	int64_t told_seen;
};

/*
 * Looks at the rows of nodes, and tells NEWS_NODES when the view is another one than that told, and NEWS_SEEN. row: this node's, read
 * before version was, which is that of changes; node_id 0: it has none. As db_query().
 */
int node_watch_look(
    struct node_watch *watch, struct db *db, const struct node_row *row, int64_t version, struct error *err);

#endif
