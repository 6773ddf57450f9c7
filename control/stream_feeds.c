/* The list is short: a feed for each kind and tenant that someone streams. */
#include "control/stream_feeds.h"

#include <string.h>

#include "control/stream_sources.h"

static struct stream_feed *
find(struct stream_feed **feeds, const struct config *config, const char *tenant_id, enum stream_kind kind)
{
	const struct stream_source *source = stream_source_of(config, kind);
	struct stream_feed *feed = *feeds;

	if (source->of_all_tenants)
		tenant_id = "";
	while (feed != NULL && (feed->source != source || strcmp(feed->tenant_id, tenant_id) != 0))
		feed = feed->next;
	if (feed == NULL) {
		feed =
		    stream_feed_new(source, tenant_id, stream_window_us(config, kind), stream_read_rows(config, kind));
		feed->next = *feeds;
		*feeds = feed;
	}
	return feed;
}

void
stream_feeds_find(struct stream_feed **feeds, const struct config *config, struct stream *streams)
{
	for (struct stream *stream = streams; stream != NULL; stream = stream->next)
		for (int kind = 0; kind < STREAM_KINDS; kind++) {
			struct stream_reading *reading = &stream->readings[kind];

			if (reading->wanted && reading->feed == NULL)
				reading->feed = find(feeds, config, stream->tenant_id, (enum stream_kind)kind);
		}
}

void
stream_feeds_tidy(struct stream_feed **feeds, const struct stream *streams)
{
	for (struct stream_feed *feed = *feeds; feed != NULL; feed = feed->next)
		feed->used = false;
	for (const struct stream *stream = streams; stream != NULL; stream = stream->next)
		for (int kind = 0; kind < STREAM_KINDS; kind++)
			if (stream->readings[kind].feed != NULL)
				stream->readings[kind].feed->used = true;
	for (struct stream_feed **at = feeds; *at != NULL;) {
		struct stream_feed *feed = *at;

		if (feed->used) {
			at = &feed->next;
			continue;
		}
		*at = feed->next;
		stream_feed_free(feed);
	}
}

void
stream_feeds_put_last(struct stream_feed **feeds, struct stream_feed *feed)
{
	struct stream_feed **at = feeds;

	while (*at != feed)
		at = &(*at)->next;
	*at = feed->next;
	while (*at != NULL)
		at = &(*at)->next;
	*at = feed;
	feed->next = NULL;
}
