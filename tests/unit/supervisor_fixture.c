/* Fake processes and their records; see the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/signals.h"
#include "shm/heartbeat.h"
#include "tests/unit/segment_fixture.h"
#include "tests/unit/supervisor_fixture.h"

#define RECORDS_MAX 1024

struct record_book {
	uint32_t count;
	struct {
		enum happening happening;
		enum role role;
		uint32_t index;
	} records[RECORDS_MAX];
};

static uint32_t signals_sent; /* a bit each */

void
stage_open(struct stage *stage, uint32_t acceptors, uint32_t writers)
{
	static char host[] = "127.0.0.1";
	const struct process_role rules[ROLES] = {
	    {.role = ROLE_WRITER, .drain_phase = 3, .finishes_work = true},
	    {.role = ROLE_ACCEPTOR, .drain_phase = 1, .rolls_on_hup = true},
	    {.role = ROLE_COURIER, .drain_phase = 2},
	    {.role = ROLE_PUBLISHER, .drain_phase = 3},
	};

	signals_sent = 0;
	memset(stage, 0, sizeof *stage);
	memcpy(stage->rules, rules, sizeof rules);
	stage->config = ring_config(acceptors, writers, 1 << 20);
	stage->config.host = host;
	stage->config.drain_timeout_seconds = 20;
	stage->config.log_level = LOG_ERROR;
	stage->segment = ring_open(&stage->config);
	stage->book = mmap(NULL, sizeof *stage->book, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(stage->book, MAP_FAILED);
}

void
stage_close(struct stage *stage)
{
	(void)munmap(stage->book, sizeof *stage->book);
	ring_close(&stage->segment);
}

static int
run(void *context, enum role role, uint32_t index)
{
	const struct stage *stage = context;

	stage_record(stage, STARTED, role, index);
	return stage->play(stage, role, index);
}

static void
on_turn(void *context)
{
	const struct stage *stage = context;

	if (stage->on_turn != NULL)
		stage->on_turn(stage);
}

static void
on_ready(void *context, char *status, size_t size)
{
	const struct stage *stage = context;

	if (stage->on_ready != NULL)
		stage->on_ready(stage);
}

static void
nothing(void *context)
{
}

static uint64_t
work_left(void *context)
{
	const struct stage *stage = context;

	return stage->work_left != NULL ? stage->work_left(stage) : 0;
}

int
stage_supervise(struct stage *stage)
{
	const struct supervision supervision = {
	    .roles = stage->rules,
	    .role_count = ROLES,
	    .config = &stage->config,
	    .segment = &stage->segment,
	    .context = stage,
	    .run = run,
	    .on_turn = on_turn,
	    .on_ready = on_ready,
	    .on_reload = nothing,
	    .on_drain = nothing,
	    .on_last_start = nothing,
	    .work_left = work_left,
	    .work_name = "work_left",
	};

	return supervise(&supervision);
}

void
stage_record(const struct stage *stage, enum happening happening, enum role role, uint32_t index)
{
	uint32_t at = __atomic_fetch_add(&stage->book->count, 1, __ATOMIC_SEQ_CST);

	if (at >= RECORDS_MAX)
		_exit(2);
	stage->book->records[at].role = role;
	stage->book->records[at].index = index;
	__atomic_store_n((uint32_t *)&stage->book->records[at].happening, happening, __ATOMIC_SEQ_CST);
}

/* Returns the position of the n-th such record, from 1 on. `found` is less than n if there are fewer of them. */
static uint32_t
find(const struct stage *stage, enum happening happening, enum role role, uint32_t index, uint32_t n, uint32_t *found)
{
	uint32_t at = 0;

	*found = 0;
	for (; at < __atomic_load_n(&stage->book->count, __ATOMIC_SEQ_CST) && *found < n; at++)
		if (stage->book->records[at].happening == happening && stage->book->records[at].role == role &&
		    (index == ANY || stage->book->records[at].index == index))
			++*found;
	return at;
}

uint32_t
stage_count(const struct stage *stage, enum happening happening, enum role role, uint32_t index)
{
	uint32_t found;

	(void)find(stage, happening, role, index, UINT32_MAX, &found);
	return found;
}

uint32_t
stage_when(const struct stage *stage, enum happening happening, enum role role, uint32_t index, uint32_t n)
{
	uint32_t found, at = find(stage, happening, role, index, n, &found);

	assert_int_equal(found, n);
	return at;
}

void
stage_live(const struct stage *stage, enum role role, uint32_t index, void (*work)(void *context), void *context)
{
	struct process_slot *slot = segment_slot(&stage->segment, role, index);
	int fd = signals_open(false), signo;

	segment_announce(&stage->segment, slot, PROCESS_READY);
	for (;;) {
		heartbeat(slot, 0);
		if (work != NULL)
			work(context);
		signo = signals_next(fd);
		if (signo == SIGHUP)
			stage_record(stage, HUNG_UP, role, index);
		if (signo == SIGTERM)
			break;
		if (signo == 0)
			usleep(1000);
	}
	stage_record(stage, TOLD_TO_STOP, role, index);
	close(fd);
}

void
stage_signal_master(int signo)
{
	if ((signals_sent & (1u << signo)) == 0)
		(void)kill(getpid(), signo);
	signals_sent |= 1u << signo;
}
