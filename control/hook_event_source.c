/* One feed serves all tenants, because the log has the events of all of them in one order. */
#include "control/hook_event_source.h"

#include <string.h>

#include "control/stream_frame.h"
#include "control/tree.h"
#include "store/event_log.h"

static int
read_rows(struct db *db, const char *tenant_id, const struct stream_place *after, uint32_t limit, struct db_rows **rows,
    struct error *err)
{
	return event_log_read(db, after->us, after->id, limit, rows, err);
}

static int
list_places(struct db *db, const char *tenant_id, int64_t from_us, const struct stream_place *last,
    struct db_rows **rows, struct error *err)
{
	return event_log_places(db, from_us, last->us, last->id, rows, err);
}

static struct span
id_of(const struct db_rows *rows, uint32_t row)
{
	return db_rows_text(rows, row, EVENT_LOG_ID);
}

static int64_t
us_of(const struct db_rows *rows, uint32_t row)
{
	return db_rows_int(rows, row, EVENT_LOG_US);
}

static struct span
batch_of(const struct db_rows *rows, uint32_t row)
{
	return db_rows_text(rows, row, EVENT_LOG_BATCH);
}

static bool
is_text(struct span text, const char *other)
{
	return text.base != NULL && text.len == strlen(other) && memcmp(text.base, other, text.len) == 0;
}

bool
hook_types_have(const char *types, struct span type)
{
	for (const char *at = types;; at++) {
		size_t len = strcspn(at, ",");

		if (len == type.len && memcmp(at, type.base, len) == 0)
			return true;
		at += len;
		if (*at == '\0')
			return types[0] == '\0';
	}
}

static bool
fits(const struct stream *stream, const struct db_rows *rows, uint32_t row)
{
	const struct hook_filter *hooks = &stream->hooks;

	/* What the log names and the table has no more is nobody's. */
	return is_text(db_rows_text(rows, row, EVENT_LOG_TENANT), stream->tenant_id) &&
	       hook_types_have(hooks->types, db_rows_text(rows, row, EVENT_LOG_TYPE)) &&
	       (hooks->session[0] == '\0' || is_text(db_rows_text(rows, row, EVENT_LOG_SESSION), hooks->session));
}

static void
write_row(const char *tenant_id, const struct db_rows *rows, uint32_t row, const char *resume, struct bytes *out)
{
	static const struct {
		const char *name;
		enum event_log_column column;
	} members[] = {
	    {"event_id", EVENT_LOG_ID},
	    {"event_type", EVENT_LOG_TYPE},
	    {"session_id", EVENT_LOG_SESSION},
	    {"workflow_id", EVENT_LOG_WORKFLOW},
	    {"phase_id", EVENT_LOG_PHASE},
	    {"milestone_id", EVENT_LOG_MILESTONE},
	    {"timestamp", EVENT_LOG_TIMESTAMP},
	    {"received_at", EVENT_LOG_RECEIVED},
	    {"client_event_id", EVENT_LOG_CLIENT_ID},
	};
	cJSON *tree = tree_new();

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		tree_add_text(tree, members[i].name, db_rows_text(rows, row, members[i].column));
	tree_add_json(tree, "data", db_rows_text(rows, row, EVENT_LOG_DATA), "{}");
	bytes_add_text(out, "id: ");
	bytes_add_text(out, resume);
	bytes_add_text(out, "\n");
	stream_add_data(out, tree);
}

#define SOURCE                                                                                                         \
	.kind = STREAM_HOOK_EVENTS, .has_ids = true, .of_all_tenants = true, .now = event_log_now, .read = read_rows,  \
	.places = list_places, .id = id_of, .us = us_of, .fits = fits, .write = write_row

const struct stream_source stream_hook_log = {SOURCE, .batch = batch_of};
const struct stream_source stream_hook_rows = {SOURCE, .in_order = true};
