/* Checks the hooksd that uses this DATA_DIR: that it runs and serves, and has the same version and options. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/pid_lock.h"
#include "base/version.h"
#include "cli/doctor.h"
#include "cli/probe.h"
#include "config/config.h"
#include "config/data_dir.h"
#include "config/load.h"
#include "config/options.h"
#include "shm/ring_size.h"
#include "shm/segment.h"

#define FILE_MAX (1 << 20)

pid_t
doctor_master(const struct config *config)
{
	char lock[PATH_MAX];
	struct error err;

	return data_dir_lock_path(config->data_dir, lock, &err) == 0 ? pid_lock_holder(lock) : 0;
}

static void
check_version(const struct doctor *doctor, const struct segment_header *header)
{
	char version[sizeof header->version + 1] = "";

	(void)snprintf(version, sizeof version, "%.*s", (int)sizeof header->version, header->version);
	if (strcmp(version, HOOKS_VERSION) == 0)
		doctor_ok(doctor->out, CHECK_SERVICE_VERSION, "%s, as this program", version);
	else
		doctor_warn(doctor->out, CHECK_SERVICE_VERSION, "restart hooksd with the installed version",
		    "hooksd is %s, and this program is %s", version, HOOKS_VERSION);
}

static void
ask(const struct doctor *doctor, enum doctor_check check, const char *path, const char *fix)
{
	struct probe_answer answer;
	struct error err;
	char *url = probe_url(doctor->config, path, &err);
	int rc = url != NULL ? probe_ask(url, &answer, &err) : -1;

	if (url == NULL)
		doctor_warn(doctor->out, check, "set --port", "%s", err.text);
	else if (rc != 0)
		doctor_fail(doctor->out, check, fix, "%s", err.text);
	else if (answer.status != 200)
		doctor_fail(doctor->out, check, fix, "%s says %ld: %.300s", path, answer.status, answer.body);
	else if (strstr(answer.body, "\"degraded\"") != NULL)
		doctor_warn(doctor->out, check, fix, "%s says %.300s", path, answer.body);
	else
		doctor_ok(doctor->out, check, "%s says %.120s", path, answer.body);
	free(url);
}

/* ---- the options of the running one, which are its environment and its flags ---- */

/* Reads a whole file of /proc. false: no permission. */
static bool
read_proc(pid_t pid, const char *name, struct bytes *out)
{
	char path[64];
	ssize_t len;

	(void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while (out->len < FILE_MAX && (len = read(fd, bytes_reserve(out, 4096), 4096)) > 0)
		out->len += (size_t)len;
	close(fd);
	bytes_add(out, "", 1);
	return out->len > 1;
}

/* Splits NUL-terminated texts into an array. Release it by free(). */
static char **
split(struct bytes *texts, int *count)
{
	char **list = mem_new(texts->len + 1, sizeof *list);

	*count = 0;
	for (size_t at = 0; at + 1 < texts->len; at += strlen(texts->base + at) + 1)
		list[(*count)++] = texts->base + at;
	return list;
}

static bool
same(const struct option *option, const struct config *one, const struct config *other)
{
	const char *a = (const char *)one + option->offset, *b = (const char *)other + option->offset;
	const char *x, *y;

	if (!option_is_string(option))
		return memcmp(a, b, option->size) == 0;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x == y || (x != NULL && y != NULL && strcmp(x, y) == 0);
}

static void
compare(const struct doctor *doctor, const struct config *running)
{
	char names[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < OPTION_COUNT && used < sizeof names - 1; i++)
		if (!same(&option_table[i], doctor->config, running))
			used += (size_t)snprintf(
			    names + used, sizeof names - used, "%s%s", used > 0 ? ", " : "", option_table[i].name);
	if (names[0] != '\0')
		doctor_warn(doctor->out, CHECK_SERVICE_OPTIONS,
		    "restart hooksd if they have changed; else run doctor with the environment and flags of hooksd",
		    "the running hooksd has other values of %s", names);
	else
		doctor_ok(doctor->out, CHECK_SERVICE_OPTIONS, "as those of the running hooksd");
}

static void
check_options(const struct doctor *doctor, pid_t master)
{
	struct bytes environment = {0}, arguments = {0};
	struct config running = {0};
	struct error err;
	int variables, words;

	if (!read_proc(master, "environ", &environment) || !read_proc(master, "cmdline", &arguments)) {
		doctor_ok(doctor->out, CHECK_SERVICE_OPTIONS, "root alone may read those of the running hooksd");
		return;
	}
	environ = split(&environment, &variables);
	char **argv = split(&arguments, &words);
	if (config_load(&running, words, argv, ring_need, &err) < 0)
		doctor_warn(doctor->out, CHECK_SERVICE_OPTIONS, "hooksd --check-config, before it is restarted",
		    "those of the running hooksd would not do any more: %s", err.text);
	else
		compare(doctor, &running);
}

void
doctor_service(const struct doctor *doctor)
{
	pid_t master = doctor_master(doctor->config);
	struct segment segment;
	struct error err;

	if (master <= 0) {
		doctor_ok(doctor->out, CHECK_SERVICE_PROCESS, "no hooksd has this DATA_DIR");
		return;
	}
	doctor_ok(doctor->out, CHECK_SERVICE_PROCESS, "pid %d has this DATA_DIR", (int)master);
	if (segment_open_readonly(&segment, doctor->config->ring_path, &err) == 0) {
		check_version(doctor, segment.header);
		segment_close(&segment);
	} else {
		doctor_warn(doctor->out, CHECK_SERVICE_VERSION, "run doctor with the PORT or RING_PATH of hooksd", "%s",
		    err.text);
	}
	ask(doctor, CHECK_SERVICE_HEALTH, "/health", "see 'What it answers' in docs/operations.md");
	ask(doctor, CHECK_SERVICE_READINESS, "/readyz", "see 'What it answers' in docs/operations.md");
	check_options(doctor, master);
}
