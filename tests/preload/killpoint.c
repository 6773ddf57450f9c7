/*
 * Kills the control process, or the processes whose names begin with KILLPOINT_PROCESS, at a statement of a
 * transaction. The file that KILLPOINT names has two numbers of 32 bits. The first one is the number of the statement,
 * counted down from now on over all threads (0: none). The second one is 0 to die right before the statement goes to
 * the database, or 1 to die when it has taken effect and before its caller gets the result. With KILLPOINT_STOPS the
 * process is stopped there, not killed. BEGIN and COMMIT are statements. Reads outside of a transaction are not
 * counted: a process that dies in one leaves nothing.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#define PREFIX "control"

struct killpoint {
	uint32_t left, after;
};

static _Thread_local bool in_transaction, dies_with_answer;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static struct killpoint *
killpoint(void)
{
	static struct killpoint *mapped;
	const char *path = getenv("KILLPOINT");

	if (mapped == NULL && path != NULL) {
		int fd = open(path, O_RDWR | O_CLOEXEC);
		void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (at == MAP_FAILED)
			abort();
		close(fd);
		mapped = at;
	}
	return mapped;
}

/* Compares the name of the process, which its threads need not have. */
static bool
is_meant(void)
{
	const char *prefix = getenv("KILLPOINT_PROCESS");
	char name[16] = "";
	int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, name, sizeof name - 1);

	close(fd);
	prefix = prefix != NULL ? prefix : PREFIX;
	return len > 0 && strncmp(name, prefix, strlen(prefix)) == 0;
}

static void
die(void)
{
	dies_with_answer = false;
	(void)kill(getpid(), getenv("KILLPOINT_STOPS") != NULL ? SIGSTOP : SIGKILL);
}

static bool
begins_with(const char *sql, const char *word)
{
	return strncasecmp(sql, word, strlen(word)) == 0;
}

/* Called before a statement goes to the database. Returns whether the process dies after it. */
static bool
count(const char *sql)
{
	struct killpoint *point = killpoint();
	bool counts = in_transaction || begins_with(sql, "BEGIN");

	in_transaction = counts && !begins_with(sql, "COMMIT") && !begins_with(sql, "ROLLBACK");
	if (!counts || point == NULL || __atomic_load_n(&point->left, __ATOMIC_SEQ_CST) == 0 || !is_meant())
		return false;
	if (__atomic_sub_fetch(&point->left, 1, __ATOMIC_SEQ_CST) != 0)
		return false;
	if (!point->after)
		die();
	return true;
}

int
PQsendQuery(PGconn *conn, const char *query)
{
	dies_with_answer = count(query);
	return REAL(PQsendQuery)(conn, query);
}

int
PQsendQueryParams(PGconn *conn, const char *command, int nParams, const Oid *paramTypes, const char *const *paramValues,
    const int *paramLengths, const int *paramFormats, int resultFormat)
{
	dies_with_answer = count(command);
	return REAL(PQsendQueryParams)(
	    conn, command, nParams, paramTypes, paramValues, paramLengths, paramFormats, resultFormat);
}

PGresult *
PQgetResult(PGconn *conn)
{
	PGresult *result = REAL(PQgetResult)(conn);

	if (dies_with_answer)
		die();
	return result;
}

int
sqlite3_step(sqlite3_stmt *statement)
{
	const char *sql = sqlite3_sql(statement);
	bool dies = count(sql != NULL ? sql : "");
	int code = REAL(sqlite3_step)(statement);

	if (dies)
		die();
	return code;
}
