/* SQLite files of hook events and of webhooks. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sizes.h"
#include "cli/doctor.h"
#include "shm/roles.h"
#include "store/sqlite/sqlite_facts.h"

#define CHECK_US 5000000
/* hooksd keeps the log below this, unless a reader's transaction prevents it. */
#define LARGE_LOG_BYTES (256 * MIB)

/* Whether the process is one of ours, or gone. Sets its name. */
static bool
is_ours(pid_t pid, char name[64])
{
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	(void)snprintf(name, 64, "?");
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return true;
	if (fgets(name, 64, file) != NULL)
		name[strcspn(name, "\n")] = '\0';
	fclose(file);
	bool ours = strncmp(name, "hooks", strlen("hooks")) == 0; /* hooksd, hooksctl */
	for (int role = 0; role < ROLES; role++)
		ours = ours || strncmp(name, role_table[role].name, strlen(role_table[role].name)) == 0;
	return ours;
}

static void
check_lock(const struct doctor *doctor, const char *option, pid_t writer)
{
	char name[64];

	if (writer != 0 && !is_ours(writer, name))
		doctor_warn(doctor->out, CHECK_EMBEDDED_LOCK,
		    "let it end its transaction: hooksd cannot write meanwhile",
		    "%s: pid %d (%s) has a transaction open that writes", option, (int)writer, name);
	else
		doctor_ok(doctor->out, CHECK_EMBEDDED_LOCK, "%s: no other program writes", option);
}

static void
check_file(const struct doctor *doctor, const char *option, const char *path)
{
	char size[DOCTOR_SIZE_BYTES], log[DOCTOR_SIZE_BYTES];
	struct sqlite_facts facts;
	struct error err;

	if (access(path, F_OK) != 0)
		return; /* files.store reports it */
	if (sqlite_facts_read(path, clock_steady_us() + CHECK_US, &facts, &err) != 0) {
		doctor_fail(doctor->out, CHECK_EMBEDDED_INTEGRITY, "run doctor as the user of hooksd", "%s: %s", option,
		    err.text);
		return;
	}
	(void)doctor_size(facts.bytes, size);
	(void)doctor_size(facts.log_bytes, log);
	if (!facts.whole)
		doctor_fail(doctor->out, CHECK_EMBEDDED_INTEGRITY,
		    "stop hooksd, move the file away with its -wal and -shm, and take a backup or sqlite3 FILE "
		    ".recover",
		    "%s=%s is damaged: %s", option, path, facts.fault);
	else
		doctor_ok(doctor->out, CHECK_EMBEDDED_INTEGRITY, "%s: %s, %s", option, size,
		    facts.finished ? "and whole" : "and whole as far as 5 s have let it be checked");
	if (facts.log_bytes > LARGE_LOG_BYTES)
		doctor_warn(doctor->out, CHECK_EMBEDDED_LOG, "end programs that read the database for long (lsof FILE)",
		    "%s: the write-ahead log has %s: a reader keeps it from being emptied", option, log);
	else
		doctor_ok(doctor->out, CHECK_EMBEDDED_LOG, "%s: the write-ahead log has %s", option, log);
	check_lock(doctor, option, facts.writer);
}

/* A file that cannot be read has been reported. */
static void
check_schema(const struct doctor *doctor, const char *option, const char *path, bool webhooks)
{
	int version, target;
	struct error err;

	if (access(path, F_OK) == 0 && sqlite_facts_schema(path, webhooks, &version, &target, &err) == 0)
		(void)doctor_schema(doctor, CHECK_EMBEDDED_SCHEMA, option, version, target);
}

void
doctor_embedded(const struct doctor *doctor)
{
	const struct config *config = doctor->config;

	if (config->storage == STORAGE_SQLITE) {
		check_file(doctor, "SQLITE_PATH", config->sqlite_path);
		check_schema(doctor, "SQLITE_PATH", config->sqlite_path, false);
	}
	if (config->hl_store == HL_STORE_EMBEDDED) {
		check_file(doctor, "HL_DATA_PATH", config->hl_data_path);
		check_schema(doctor, "HL_DATA_PATH", config->hl_data_path, true);
	}
}
