/* For benchmarks (STORAGE_TYPE=null): measures the path up to the store. */
#include "store/null/sink_null.h"

#include <stdlib.h>

#include "base/mem.h"

static int
null_open(struct sink *sink, struct error *err)
{
	return 0;
}

static int
null_store(struct sink *sink, const struct batch *batch, struct sink_result *result, struct error *err)
{
	*result = (struct sink_result){.stored = batch->count};
	return 0;
}

static void
null_close(struct sink *sink)
{
	free(sink);
}

struct sink *
sink_null_new(const struct config *config, const struct sink_env *env)
{
	static const struct sink_ops ops = {
	    .name = "null", .discards = true, .open = null_open, .store = null_store, .close = null_close};
	struct sink *sink = mem_new(1, sizeof *sink);

	sink->ops = &ops;
	return sink;
}
