/* Measures this process: CPU time by getrusage(2), memory from /proc. */
#include "shm/usage.h"

#include <ck_pr.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define UPDATE_PERIOD_US (1000 * 1000)

static uint64_t
microseconds(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * 1000000 + (uint64_t)tv->tv_usec;
}

/* Kept open, because a sandboxed process (base/sandbox.h) cannot open it. */
static int memory_fd = -1;

static void
open_memory(void)
{
	if (memory_fd >= 0)
		close(memory_fd); /* inherited: the parent's */
	memory_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

/* 0 without /proc. */
static uint64_t
resident_bytes(void)
{
	char text[64];
	ssize_t len = memory_fd < 0 ? 0 : pread(memory_fd, text, sizeof text - 1, 0);
	const char *second;

	text[len > 0 ? len : 0] = '\0';
	second = strchr(text, ' '); /* "total resident ...", in pages */
	return second == NULL ? 0 : strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t
usage_cpu_us(const struct usage *usage)
{
	return ck_pr_load_64(&usage->cpu_us);
}

uint64_t
usage_resident_bytes(const struct usage *usage)
{
	return ck_pr_load_64(&usage->resident_bytes);
}

void
usage_begin(struct usage *usage)
{
	usage->earlier_us = usage->cpu_us;
	usage->measured_us = 0;
	open_memory();
}

/* Not inline, so that usage_update() stays cheap. */
static __attribute__((noinline)) void
measure(struct usage *usage)
{
	struct rusage own;

	(void)getrusage(RUSAGE_SELF, &own);
	ck_pr_store_64(&usage->cpu_us, usage->earlier_us + microseconds(&own.ru_utime) + microseconds(&own.ru_stime));
	ck_pr_store_64(&usage->resident_bytes, resident_bytes());
}

void
usage_update(struct usage *usage, int64_t now_us)
{
	if (usage->measured_us != 0 && now_us - usage->measured_us < UPDATE_PERIOD_US)
		return;
	usage->measured_us = now_us;
	measure(usage);
}
