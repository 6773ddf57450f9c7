/* The sink that stores nothing: what the path up to the store costs (STORAGE_TYPE=null). */
#include <stdlib.h>

#include "base/mem.h"
#include "store/sink.h"

static int
null_open(struct sink *sink, struct error *err)
{
	return 0;
}

static int
null_store(struct sink *sink, const struct record *const *records, uint32_t count, struct sink_result *result,
    struct error *err)
{
	*result = (struct sink_result){.stored = count};
	return 0;
}

static void
null_close(struct sink *sink)
{
	free(sink);
}

struct sink *
sink_null_new(void)
{
	static const struct sink_ops ops = {
	    .name = "null", .open = null_open, .store = null_store, .close = null_close};
	struct sink *sink = mem_new(1, sizeof *sink);

	sink->ops = &ops;
	return sink;
}
