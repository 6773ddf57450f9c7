/* Connects to PostgreSQL, and checks it then and from time to time. store/postgres/pg_batch.h stores batches. */
#include "store/postgres/sink_postgres.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/postgres/migrate.h"
#include "store/postgres/partitions.h"
#include "store/postgres/deadline.h"
#include "store/postgres/pg_batch.h"
#include "store/postgres/pg_probe.h"
#include "store/postgres/pg_rows.h"
#include "store/postgres/pg_session.h"

struct sink_postgres {
	struct sink super;
	const struct config *config;
	struct deadline deadline;
	struct session session;
	struct partitions partitions;
	struct rows rows;
	struct pg_batch batch;
};

/* Returns <0, or SINK_IDLE_CLOSED. */
static int
disconnect(struct sink_postgres *s)
{
	bool idle_closed = s->session.pg != NULL && pg_idle_closed(s->session.pg);

	session_close(&s->session);
	return idle_closed ? SINK_IDLE_CLOSED : -1;
}

/* Ready means that an event of the current time can be stored: this finds anything that would block or refuse it. */
static int
postgres_open(struct sink *sink, struct error *err)
{
	struct sink_postgres *s = (struct sink_postgres *)sink;
	int applied = 0;

	s->deadline.beats = false; /* in the connector's thread: the writer's loop sends the heartbeats */
	int rc = session_open(&s->session, s->config->database_url, err);
	if (rc == 0)
		rc = s->config->auto_migrate ? migrate_apply(s->session.pg, &postgres_migrations, &applied, err)
					     : migrate_check(s->session.pg, &postgres_migrations, err);
	if (rc == 0)
		rc = partitions_upkeep(&s->partitions, err);
	if (rc == 0)
		rc = session_prepare(&s->session, err);
	if (rc == 0)
		rc = pg_probe(&s->rows, &s->batch.method, err);
	if (rc == 0)
		rc = partitions_check(&s->partitions, err);
	s->deadline.beats = true;
	if (rc != 0)
		(void)disconnect(s);
	return rc == 0 ? 0 : -1;
}

static int
postgres_store(struct sink *sink, const struct batch *batch, struct sink_result *result, struct error *err)
{
	struct sink_postgres *s = (struct sink_postgres *)sink;

	assert(s->session.pg != NULL);
	*result = (struct sink_result){0};
	if (session_misses_log(&s->session) && session_check(&s->session, err) != 0)
		return disconnect(s);
	return pg_batch_store(&s->batch, batch, result, err) == 0 ? 0 : disconnect(s);
}

/* Checks what a DBA may have changed since the last time. 0 or <0. */
static int
check_again(struct sink_postgres *s, struct error *err)
{
	int rc = session_check(&s->session, err);

	if (rc == 0)
		rc = partitions_upkeep(&s->partitions, err);
	s->batch.method = ROWS_COPY; /* COPY may be allowed again */
	return rc;
}

static int
postgres_upkeep(struct sink *sink, struct error *err)
{
	struct sink_postgres *s = (struct sink_postgres *)sink;
	int rc = pg_check(s->session.pg, err);

	pg_batch_upkeep(&s->batch);
	if (rc == 0 && partitions_due(&s->partitions))
		rc = check_again(s, err);
	return rc == 0 ? 0 : disconnect(s);
}

static int
postgres_watch(const struct sink *sink)
{
	const struct sink_postgres *s = (const struct sink_postgres *)sink;

	return s->session.pg == NULL ? -1 : pg_socket(s->session.pg);
}

static void
postgres_reopen(struct sink *sink)
{
	dead_letter_file_close(&((struct sink_postgres *)sink)->batch.file);
}

static void
postgres_close(struct sink *sink)
{
	struct sink_postgres *s = (struct sink_postgres *)sink;

	session_close(&s->session);
	pg_batch_free(&s->batch);
	rows_free(&s->rows);
	free(s);
}

struct sink *
sink_postgres_new(const struct config *config, const struct sink_env *env)
{
	static const struct sink_ops ops = {
	    .name = "postgres",
	    .opens_in_thread = true,
	    .keyed = true,
	    .open = postgres_open,
	    .store = postgres_store,
	    .upkeep = postgres_upkeep,
	    .watch = postgres_watch,
	    .reopen = postgres_reopen,
	    .close = postgres_close,
	};
	struct sink_postgres *s = mem_new(1, sizeof *s);

	s->super.ops = &ops;
	s->config = config;
	s->deadline = (struct deadline){.statement_ms = config->store_timeout_ms, .env = env};
	session_init(&s->session, &s->deadline);
	s->session.wants_log = config_streams_hook_events(config);
	partitions_init(&s->partitions, config->partitions_ahead, &s->session, env);
	rows_init(&s->rows, &s->session, env);
	pg_batch_init(&s->batch, &s->rows, &s->partitions, config->data_dir);
	return &s->super;
}
