/* The statement gets two places of each feed: its front, and where its window begins. */
#include "control/stream_poll.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define PLACES 2u /* places per feed */

/* Returns the first feed, from this one on, whose places the statement gets. NULL: there is none. */
static struct stream_feed *
first_polled(struct stream_feed *feed, const struct stream_source *source)
{
	while (feed != NULL && (!feed->begun || feed->source != source))
		feed = feed->next;
	return feed;
}

static void
add_places(const struct stream_feed *feed, struct stream_asked asked[PLACES])
{
	asked[0] = (struct stream_asked){feed->tenant_id, feed->front};
	asked[1] = (struct stream_asked){feed->tenant_id, stream_place_before(feed->looked_us - feed->window_us)};
}

/* found: by number, whether a row is behind that place. */
static int
find(const struct stream_source *source, struct db *db, const struct stream_asked *asked, uint32_t count, bool *found,
    struct error *err) /* six: what is asked, and what comes back */
{
	struct db_rows *numbers;
	int rc = source->find_changed(db, asked, count, &numbers, err);

	if (rc != 0)
		return rc;
	for (uint32_t row = 0; row < db_rows_count(numbers); row++)
		found[db_rows_int(numbers, row, 0)] = true;
	db_rows_free(numbers);
	return 0;
}

int
stream_poll(
    struct stream_feed *feeds, const struct stream_source *source, bool assume_rows, struct db *db, struct error *err)
{
	struct stream_feed *const first = first_polled(feeds, source);
	struct stream_asked *asked;
	uint32_t count = 0, place = 0;
	bool *found;
	int64_t now_us;
	int rc;

	if (first == NULL)
		return 0;
	for (struct stream_feed *feed = first; feed != NULL; feed = first_polled(feed->next, source))
		count += PLACES;
	asked = mem_new(count, sizeof *asked);
	found = mem_new(count, sizeof *found);
	for (struct stream_feed *feed = first; feed != NULL; feed = first_polled(feed->next, source), place += PLACES)
		add_places(feed, &asked[place]);
	rc = source->now(db, &now_us, err);
	if (rc == 0 && source->find_changed != NULL && !assume_rows)
		rc = find(source, db, asked, count, found, err);
	else
		memset(found, true, count);
	place = 0;
	for (struct stream_feed *feed = first; rc == 0 && feed != NULL; feed = first_polled(feed->next, source)) {
		feed->now_us = now_us;
		feed->has_new_rows = found[place++];
		feed->has_window_rows = found[place++];
	}
	free(asked);
	free(found);
	return rc;
}
