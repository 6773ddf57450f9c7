/* Finds tests of endpoints and sends each to the loop once. For the store thread. */
#ifndef COURIER_TEST_WATCH_H
#define COURIER_TEST_WATCH_H

#include <stdint.h>

#include "base/error.h"
#include "base/repeat.h"
#include "courier/endpoint_reader.h"
#include "courier/id_table.h"
#include "courier/messages.h"
#include "shm/segment.h"
#include "store/db.h"

struct test_watch {
	const struct segment *segment; /* borrowed, as messages and endpoints */
	uint32_t courier; /* its number */
	struct message_queue *messages;
	const struct endpoint_reader *endpoints;
	struct id_table sent; /* sent tests by the attempt's id, while they have a row */
	uint32_t looks;
	struct repeat refused;
};

/*
 * Sends MESSAGE_TEST for each new test of this node and courier. If nothing can be sent to its endpoint, the test fails
 * at once. As db_query() without DB_REFUSED.
 */
int test_watch_look(struct test_watch *watch, struct db *db, struct error *err);

void test_watch_free(struct test_watch *watch);

#endif
