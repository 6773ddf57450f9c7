/* CPU quotas of both cgroup versions, read from trees that the tests make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/cpu.h"

struct file {
	const char *path; /* below the root of the tree */
	const char *text;
};

struct tree {
	const char *name;
	const char *cgroup; /* the contents of /proc/self/cgroup */
	struct file files[6];
	uint32_t cpus;
};

static const struct tree trees[] = {
    {"v2: no limit", "0::/\n", {{"cpu.max", "max 100000\n"}}, 0},
    {"v2: half a CPU is one", "0::/\n", {{"cpu.max", "50000 100000\n"}}, 1},
    {"v2: exactly two", "0::/\n", {{"cpu.max", "200000 100000\n"}}, 2},
    {"v2: two and a bit are three", "0::/\n", {{"cpu.max", "200001 100000\n"}}, 3},
    {"v2: own directory", "0::/a/b\n", {{"a/b/cpu.max", "400000 100000\n"}, {"a/cpu.max", "max 100000\n"}}, 4},
    {"v2: a parent's is less", "0::/a/b\n", {{"a/b/cpu.max", "400000 100000\n"}, {"a/cpu.max", "100000 100000\n"}}, 1},
    {"v2: the root's is least", "0::/a/b\n", {{"a/b/cpu.max", "4 1\n"}, {"a/cpu.max", "3 1\n"}, {"cpu.max", "2 1"}}, 2},
    {"v2: the host's path, own mount", "0::/docker/0123\n", {{"cpu.max", "300000 100000\n"}}, 3},
    {"v2: a path above the mount", "0::/../other\n", {{"cpu.max", "300000 100000\n"}}, 3},
    {"v2: nothing there", "0::/a\n", {{NULL, NULL}}, 0},
    {"v2: nonsense", "0::/\n", {{"cpu.max", "many\n"}}, 0},
    {"v2: one number", "0::/\n", {{"cpu.max", "200000\n"}}, 0},
    {"v2: no period", "0::/\n", {{"cpu.max", "200000 0\n"}}, 0},
    {"v2: below nothing", "0::/\n", {{"cpu.max", "-1 100000\n"}}, 0},
    {"v2: more than can be counted", "0::/\n", {{"cpu.max", "9223372036854775807 1\n"}}, 0},
    {"v1: quota", "12:memory:/x\n4:cpu,cpuacct:/a\n",
	{{"cpu/a/cpu.cfs_quota_us", "150000\n"}, {"cpu/a/cpu.cfs_period_us", "100000\n"}}, 2},
    {"v1: order of names", "4:cpuacct,cpu:/\n", {{"cpu/cpu.cfs_quota_us", "7\n"}, {"cpu/cpu.cfs_period_us", "1\n"}}, 7},
    {"v1: unlimited", "4:cpu:/\n", {{"cpu/cpu.cfs_quota_us", "-1\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}}, 0},
    {"v1: no period", "4:cpu:/\n", {{"cpu/cpu.cfs_quota_us", "100000\n"}}, 0},
    {"v1: cpuset is another", "4:cpuset,cpuacct:/\n",
	{{"cpu/cpu.cfs_quota_us", "1\n"}, {"cpu/cpu.cfs_period_us", "1\n"}}, 0},
    {"v1: a parent's is less", "4:cpu:/a/b\n",
	{{"cpu/a/b/cpu.cfs_quota_us", "8\n"}, {"cpu/a/b/cpu.cfs_period_us", "1\n"}, {"cpu/a/cpu.cfs_quota_us", "5\n"},
	    {"cpu/a/cpu.cfs_period_us", "1\n"}},
	5},
    {"both at once", "4:cpu:/a\n0::/a\n",
	{{"a/cpu.max", "3 1\n"}, {"cpu/a/cpu.cfs_quota_us", "2\n"}, {"cpu/a/cpu.cfs_period_us", "1\n"}}, 2},
    {"lines that are none", "\nnonsense\n:\n::\n4:cpu\n", {{NULL, NULL}}, 0},
};

static void
write_file(const char *root, const char *path, const char *text)
{
	char full[PATH_MAX];

	assert_true(snprintf(full, sizeof full, "%s/%s", root, path) < (int)sizeof full);
	for (char *slash = full + strlen(root); (slash = strchr(slash + 1, '/')) != NULL;) {
		*slash = '\0';
		(void)mkdir(full, 0700);
		*slash = '/';
	}
	FILE *file = fopen(full, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void
test_a_quota_is_found_in_each_kind_of_cgroup_tree(void **state)
{
	for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
		const struct tree *tree = &trees[i];
		char root[] = "/tmp/test_cpu.XXXXXX";
		char cgroup[sizeof root + sizeof "/self"];

		assert_non_null(mkdtemp(root));
		write_file(root, "self", tree->cgroup);
		for (size_t j = 0; j < sizeof tree->files / sizeof tree->files[0] && tree->files[j].path != NULL; j++)
			write_file(root, tree->files[j].path, tree->files[j].text);
		(void)snprintf(cgroup, sizeof cgroup, "%s/self", root);

		uint32_t cpus = cpu_quota(cgroup, root);
		assert_int_equal(nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
		if (cpus != tree->cpus)
			fail_msg("%s: %u CPUs, not %u", tree->name, cpus, tree->cpus);
	}
}

static void
test_no_quota_without_a_cgroup_file(void **state)
{
	assert_int_equal(cpu_quota("/nonexistent/cgroup", "/nonexistent"), 0);
}

static void
test_the_allowed_cpus_are_at_most_those_of_the_machine(void **state)
{
	assert_in_range(cpu_allowed(), 1, sysconf(_SC_NPROCESSORS_CONF));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_quota_is_found_in_each_kind_of_cgroup_tree),
	    cmocka_unit_test(test_no_quota_without_a_cgroup_file),
	    cmocka_unit_test(test_the_allowed_cpus_are_at_most_those_of_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
