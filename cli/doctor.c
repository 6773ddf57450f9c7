/*
 * hooksctl doctor: checks everything that the service needs, and reports faults and remedies.
 *
 * The groups of checks run in parallel, each in a process of its own that is killed after MOST_SECONDS. A hanging name
 * server, disk or database, or a crashing check, ends only its own group.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "cli/command_words.h"
#include "cli/commands.h"
#include "cli/doctor.h"

const char *const command_doctor_flags[] = {"--json", "--offline", "--probe=", NULL};

const char command_doctor_usage[] =
    "usage: hooksctl doctor [--json] [--offline] [--probe=URL] [--option=value ...]\n\n"
    "Looks at what hooksd needs with these options: files, shared memory, clock, certificates, databases,\n"
    "what waits and what is stopped, the network, and the hooksd that runs. One line a check: ok, warn or\n"
    "fail, what was found, and what to do. Changes nothing, ends within 20 seconds, tells no secret. Run it\n"
    "as hooksd's user and with its environment; docs/operations.md explains each check.\n\n"
    "  --json       prints an array of {check, status, found, fix}\n"
    "  --offline    resolves no names, and connects to databases and hooksd only\n"
    "  --probe=URL  connects to that host, as a delivery would, in the place of an endpoint's; sends nothing\n\n"
    "Exit codes: 0 all is well; 1 a check failed; 2 none failed, but there are warnings; 64 wrong usage or\n"
    "configuration.\n";

#define MOST_SECONDS 15

static const struct {
	const char *name;
	void (*look)(const struct doctor *doctor);
} groups[] = {
    {"options", doctor_options},
    {"files", doctor_files},
    {"spool", doctor_spool},
    {"host", doctor_host},
    {"tls", doctor_tls},
    {"database", doctor_database},
    {"webhooks", doctor_webhooks},
    {"embedded", doctor_embedded},
    {"deliveries", doctor_deliveries},
    {"network", doctor_network},
    {"service", doctor_service},
};

#define GROUPS (sizeof groups / sizeof *groups)

/* A group's process. */
struct run {
	pid_t pid; /* 0: fork failed */
	int fd; /* pipe with its findings */
	bool done; /* the pipe has ended */
	struct bytes findings; /* struct doctor_finding */
};

const char *
doctor_age(int64_t seconds, char out[DOCTOR_AGE_BYTES])
{
	if (seconds < 120)
		(void)snprintf(out, DOCTOR_AGE_BYTES, "%" PRId64 " s", seconds);
	else if (seconds < 2 * 3600)
		(void)snprintf(out, DOCTOR_AGE_BYTES, "%" PRId64 " min", seconds / 60);
	else if (seconds < 48 * 3600)
		(void)snprintf(out, DOCTOR_AGE_BYTES, "%" PRId64 " h", seconds / 3600);
	else
		(void)snprintf(out, DOCTOR_AGE_BYTES, "%" PRId64 " d", seconds / 86400);
	return out;
}

const char *
doctor_size(uint64_t bytes, char out[DOCTOR_SIZE_BYTES])
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;

	for (; bytes >= 10240 && unit + 1 < sizeof units / sizeof *units; unit++)
		bytes /= 1024;
	(void)snprintf(out, DOCTOR_SIZE_BYTES, "%" PRIu64 " %s", bytes, units[unit]);
	return out;
}

bool
doctor_schema(const struct doctor *doctor, enum doctor_check check, const char *of, int version, int target)
{
	if (version > target)
		doctor_fail(doctor->out, check, "install the version of hooksd that has migrated it, or a newer one",
		    "that of %s has version %d, and this program knows %d", of, version, target);
	else if (version < target && doctor->config->auto_migrate)
		doctor_warn(doctor->out, check, "nothing: a start of hooksd migrates it; or hooksctl migrate",
		    "that of %s has version %d, and this program needs %d", of, version, target);
	else if (version < target)
		doctor_fail(doctor->out, check, "hooksctl migrate, as the owner of the tables",
		    "that of %s has version %d, and this program needs %d", of, version, target);
	else
		doctor_ok(doctor->out, check, "that of %s has version %d, as this program", of, version);
	return version == target;
}

static void
begin(struct run *run, const struct doctor *doctor, size_t group)
{
	struct doctor own = *doctor;
	int ends[2];

	*run = (struct run){.fd = -1, .done = true};
	if (pipe(ends) != 0)
		return;
	run->pid = fork();
	if (run->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		own.out = ends[1];
		groups[group].look(&own);
		_exit(0);
	}
	close(ends[1]);
	if (run->pid < 0) {
		run->pid = 0;
		close(ends[0]);
		return;
	}
	run->fd = ends[0];
	run->done = false;
}

static void
take(struct run *run)
{
	struct doctor_finding finding;
	ssize_t len = read(run->fd, &finding, sizeof finding);

	if (len == (ssize_t)sizeof finding)
		bytes_add(&run->findings, &finding, sizeof finding);
	else if (len >= 0 || errno != EINTR)
		run->done = true;
}

/* Reads findings until all groups have ended, or the time is over. */
static void
gather(struct run runs[GROUPS])
{
	int64_t until_us = clock_steady_us() + (int64_t)MOST_SECONDS * 1000000;

	for (;;) {
		struct pollfd fds[GROUPS];
		bool waits = false;

		for (size_t i = 0; i < GROUPS; i++) {
			fds[i] = (struct pollfd){.fd = runs[i].done ? -1 : runs[i].fd, .events = POLLIN};
			waits = waits || !runs[i].done;
		}
		int64_t left_ms = (until_us - clock_steady_us()) / 1000;
		if (!waits || left_ms <= 0)
			return;
		if (poll(fds, GROUPS, (int)left_ms) <= 0)
			continue;
		for (size_t i = 0; i < GROUPS; i++)
			if (fds[i].revents != 0)
				take(&runs[i]);
	}
}

static void
add_failure(struct bytes *all, const char *group, const char *what)
{
	struct doctor_finding finding = {.check = CHECK_DOCTOR_TIME, .status = DOCTOR_FAIL};

	(void)snprintf(finding.found, sizeof finding.found, "the checks of '%s' %s", group, what);
	(void)snprintf(
	    finding.fix, sizeof finding.fix, "see docs/operations.md, or ask for help with what this has said");
	bytes_add(all, &finding, sizeof finding);
}

/* Adds the group's findings to all, and one about the end of its process, which may hang in the kernel. */
static void
end(struct run *run, size_t group, struct bytes *all)
{
	char late[64];
	int status = 0;

	bytes_add(all, run->findings.base, run->findings.len);
	bytes_free(&run->findings);
	(void)snprintf(late, sizeof late, "have not ended within %d s", MOST_SECONDS);
	if (run->pid == 0) {
		add_failure(all, groups[group].name, "could not be made: no process, or no descriptor");
		return;
	}
	if (!run->done) {
		(void)kill(run->pid, SIGKILL);
		add_failure(all, groups[group].name, late);
	} else if (waitpid(run->pid, &status, 0) == run->pid && status != 0) {
		add_failure(all, groups[group].name, "have died");
	}
	close(run->fd);
}

static enum doctor_status
worst(const struct doctor_finding *findings, size_t count)
{
	enum doctor_status status = DOCTOR_OK;

	for (size_t i = 0; i < count; i++)
		status = findings[i].status > status ? findings[i].status : status;
	return status;
}

/* Reads the words. false: they are wrong. */
static bool
read_words(char *const *words, struct doctor *doctor, bool *json)
{
	struct error err;

	*json = command_has_flag(words, "--json");
	doctor->offline = command_has_flag(words, "--offline");
	return command_words_count(words) == 0 && command_flag(words, "--probe", &doctor->probe, &err) == 0 &&
	       (doctor->probe == NULL || !doctor->offline);
}

int
command_doctor(const struct config *config, char *const *words)
{
	static const int codes[] = {
	    [DOCTOR_OK] = COMMAND_OK, [DOCTOR_WARN] = COMMAND_WARNED, [DOCTOR_FAIL] = COMMAND_FAILED};
	struct doctor doctor = {.config = config};
	struct bytes all = {0};
	struct run runs[GROUPS];
	bool json;

	if (!read_words(words, &doctor, &json)) {
		fputs(command_doctor_usage, stderr);
		return COMMAND_USAGE;
	}
	for (size_t i = 0; i < GROUPS; i++)
		begin(&runs[i], &doctor, i);
	gather(runs);
	for (size_t i = 0; i < GROUPS; i++)
		end(&runs[i], i, &all);

	const struct doctor_finding *findings = (const struct doctor_finding *)(const void *)all.base;
	size_t count = all.len / sizeof *findings;
	if (json)
		doctor_print_json(stdout, findings, count);
	else
		doctor_print_text(stdout, findings, count, isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL);
	int code = codes[worst(findings, count)];
	bytes_free(&all);
	if (fflush(stdout) == 0)
		return code;
	fprintf(stderr, "hooksctl doctor: cannot write: %s\n", strerror(errno));
	return COMMAND_FAILED;
}
