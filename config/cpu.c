/*
 * Counts CPUs. A cgroup's quota limits all cgroups below it, so every directory from the process's own up to the mount
 * point is read. A container often sees only its own subtree, although /proc/self/cgroup shows the host's path. So
 * missing directories are skipped; the mount point itself then has the container's quota.
 */
#include "config/cpu.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CGROUP_LINE_MAX 1024

/* Both versions give a quota as microseconds of CPU time in a period of microseconds. */
static uint32_t
whole_cpus(long long quota, long long period)
{
	if (quota <= 0 || period <= 0)
		return 0;
	long long cpus = quota / period + (quota % period != 0);
	return cpus < INT_MAX ? (uint32_t)cpus : 0;
}

/* Reads up to two numbers from a file. Returns how many it read: 0 for "max ..." and for a missing file. */
static int
read_numbers(const char *directory, const char *name, long long numbers[2])
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof path, "%s/%s", directory, name);

	if (len < 0 || (size_t)len >= sizeof path)
		return 0;
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return 0;
	int found = fscanf(file, "%lld %lld", &numbers[0], &numbers[1]);
	(void)fclose(file);
	return found > 0 ? found : 0;
}

static uint32_t
quota_v2(const char *directory)
{
	long long numbers[2];

	return read_numbers(directory, "cpu.max", numbers) == 2 ? whole_cpus(numbers[0], numbers[1]) : 0;
}

static uint32_t
quota_v1(const char *directory)
{
	long long quota[2], period[2];

	if (read_numbers(directory, "cpu.cfs_quota_us", quota) < 1 ||
	    read_numbers(directory, "cpu.cfs_period_us", period) < 1)
		return 0;
	return whole_cpus(quota[0], period[0]);
}

static uint32_t
lesser(uint32_t a, uint32_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

/* The least quota of mount/path and of its parents up to mount. */
static uint32_t
least_upwards(const char *mount, const char *path, uint32_t (*quota_of)(const char *directory))
{
	char directory[PATH_MAX];
	int len = snprintf(directory, sizeof directory, "%s%s", mount, path);
	size_t stop = strlen(mount);
	uint32_t least = 0;

	if (len < 0 || (size_t)len >= sizeof directory || strstr(path, "..") != NULL)
		return quota_of(mount);
	for (;;) {
		least = lesser(least, quota_of(directory));
		char *slash = strrchr(directory + stop, '/');
		if (slash == NULL)
			return least;
		*slash = '\0';
	}
}

/* Whether "cpu" is in a list of names separated by commas. */
static bool
names_cpu(const char *list)
{
	while (list != NULL) {
		size_t len = strcspn(list, ",");
		if (len == 3 && memcmp(list, "cpu", 3) == 0)
			return true;
		list = list[len] == ',' ? list + len + 1 : NULL;
	}
	return false;
}

uint32_t
cpu_quota(const char *cgroup_file, const char *root)
{
	char line[CGROUP_LINE_MAX];
	uint32_t least = 0;
	FILE *file = fopen(cgroup_file, "re");

	if (file == NULL)
		return 0;
	while (fgets(line, sizeof line, file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		char *names = strchr(line, ':');
		char *path = names != NULL ? strchr(names + 1, ':') : NULL;

		if (path == NULL)
			continue;
		*path++ = '\0';
		names++;
		if (*names == '\0') {
			least = lesser(least, least_upwards(root, path, quota_v2));
		} else if (names_cpu(names)) {
			char mount[PATH_MAX];
			int len = snprintf(mount, sizeof mount, "%s/cpu", root);
			if (len > 0 && (size_t)len < sizeof mount)
				least = lesser(least, least_upwards(mount, path, quota_v1));
		}
	}
	(void)fclose(file);
	return least;
}

uint32_t
cpu_allowed(void)
{
	cpu_set_t set;
	long cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t quota = cpu_quota("/proc/self/cgroup", "/sys/fs/cgroup");
	uint32_t allowed = cpus > 1 ? (uint32_t)cpus : 1;

	return quota != 0 && quota < allowed ? quota : allowed;
}
