/* Rows of four nodes, and the heartbeats of node 1; see the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/adoption_fixture.h"

#include "shm/counters.h"
#include "tests/unit/courier_segment.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

struct segment segment;
struct adoption adoption;
static struct error err;

void
run(const char *sql)
{
	must_begin(jobs_db);
	must_run(jobs_db, SAME(sql), NULL, 0);
	must_commit(jobs_db);
}

const struct node_row own = {.node_id = 1, .epoch = 10};

int
adoption_begin(void **state)
{
	segment = courier_segment_open(2);
	adoption_open(&adoption, &db_config, &segment);
	run("DELETE FROM jobs WHERE tenant_id <> ''");
	run("DELETE FROM delivery_nodes");
	for (int64_t id = 1; id <= 4; id++) {
		must_begin(jobs_db);
		must_run(jobs_db,
		    SAME("INSERT INTO delivery_nodes (node_id, epoch, name, started_at, alive_at, seen_version) "
			 "VALUES ($1, 10, 'n', hl_now(), hl_now(), 1)"),
		    PARAMS(db_int(id)));
		must_commit(jobs_db);
	}
	return jobs_new_tenant(state);
}

int
adoption_end(void **state)
{
	courier_segment_close(&segment);
	return 0;
}

void
silence(int64_t node_id, int64_t seconds)
{
	must_begin(jobs_db);
	must_run(jobs_db,
	    SAME("UPDATE delivery_nodes SET alive_at = hl_time(hl_ms(hl_now()) - $2 * 1000) WHERE node_id = $1"),
	    PARAMS(db_int(node_id), db_int(seconds)));
	must_commit(jobs_db);
}

void
beat(int64_t second, int64_t ahead)
{
	const struct node_heartbeat says = {.seen_version = 1, .timeout_ms = TIMEOUT * 1000};
	const struct node_heartbeat_result result = {.ours = true, .alive_ms = (1000000 + second + ahead) * 1000};

	must_be(0, adoption_after_heartbeat(&adoption, jobs_db, &own, &says, &result, second * SECOND_US, &err), &err);
}

void
beat_until(int64_t first, int64_t last)
{
	for (int64_t second = first; second <= last; second += 5)
		beat(second, 0);
}

int64_t
adopted_by(int64_t node_id)
{
	struct db_rows *rows = must_read(
	    jobs_db, SAME("SELECT adopted_by FROM delivery_nodes WHERE node_id = $1"), PARAMS(db_int(node_id)));
	int64_t by = db_rows_count(rows) > 0 ? db_rows_int(rows, 0, 0) : -1;

	db_rows_free(rows);
	return by;
}

uint64_t
counted(enum counter counter)
{
	return segment_counter_sum(&segment, counter);
}
