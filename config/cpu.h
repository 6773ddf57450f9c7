/* How many CPUs this process may use, also in a container. */
#ifndef CONFIG_CPU_H
#define CONFIG_CPU_H

#include <stdint.h>

/* The number of CPUs in the affinity mask, or the cgroup's CPU quota, rounded up, if that is less. At least 1. */
uint32_t cpu_allowed(void);

/*
 * The smallest CPU quota in force, rounded up to whole CPUs, or 0 if there is none. cgroup_file has the form of
 * /proc/self/cgroup ("0::/path" for version 2, "N:...,cpu,...:/path" for version 1). root is the mount point of the
 * hierarchies (/sys/fs/cgroup). An unreadable or malformed file counts as no quota.
 */
uint32_t cpu_quota(const char *cgroup_file, const char *root);

#endif
