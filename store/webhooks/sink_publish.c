/* Not built yet: nobody starts a publisher. */
#include "store/webhooks/sink_publish.h"

#include <stdlib.h>

#include "base/mem.h"

static int
publish_open(struct sink *sink, struct error *err)
{
	return error_set(err, "published events are not stored yet");
}

static int
publish_store(struct sink *sink, const struct batch *batch, struct sink_result *result, struct error *err)
{
	return error_set(err, "published events are not stored yet");
}

static void
publish_close(struct sink *sink)
{
	free(sink);
}

struct sink *
sink_publish_new(const struct config *config, const struct sink_env *env)
{
	static const struct sink_ops ops = {.name = "webhooks",
	    .opens_in_thread = true,
	    .keyed = true,
	    .open = publish_open,
	    .store = publish_store,
	    .close = publish_close};
	struct sink *sink = mem_new(1, sizeof *sink);

	sink->ops = &ops;
	return sink;
}
