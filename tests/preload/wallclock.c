/*
 * A library to preload that shifts the wall clock while programs run. WALLCLOCK names a file of eight bytes: by how
 * many microseconds the clock is off. Other clocks are left alone.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *off_us;

static void __attribute__((constructor)) map_file(void)
{
	const char *path = getenv("WALLCLOCK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *file = fd >= 0 ? mmap(NULL, sizeof *off_us, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (file == MAP_FAILED)
		abort();
	close(fd);
	off_us = file;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, id, ts);

	if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) && off_us != NULL) {
		int64_t ns = ts->tv_nsec + *off_us % 1000000 * 1000;
		int64_t carry = ns < 0 ? -1 : ns / 1000000000;

		ts->tv_sec += *off_us / 1000000 + carry;
		ts->tv_nsec = ns - carry * 1000000000;
	}
	return rc;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;
	int rc = clock_gettime(CLOCK_REALTIME, &ts);

	*tv = (struct timeval){.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};
	return rc;
}

time_t
time(time_t *seconds)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (seconds != NULL)
		*seconds = ts.tv_sec;
	return ts.tv_sec;
}
