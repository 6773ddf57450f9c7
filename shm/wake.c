/* Sleeps and wakes across processes by a word in the segment and an eventfd. */
#include "shm/wake.h"

#include <ck_pr.h>
#include <unistd.h>

void
wake_arm(const struct wake *wake)
{
	ck_pr_store_32(wake->sleeping, ck_pr_load_32(wake->sleeping) | 1);
	ck_pr_fence_memory();
}

void
wake_disarm(const struct wake *wake)
{
	ck_pr_store_32(wake->sleeping, (ck_pr_load_32(wake->sleeping) | 1) + 1);
}

void
wake_drain(const struct wake *wake)
{
	uint64_t count;

	(void)!read(wake->fd, &count, sizeof count);
}

void
wake_up(const struct wake *wake)
{
	const uint64_t one = 1;
	uint32_t sleep;

	ck_pr_fence_memory();
	sleep = ck_pr_load_32(wake->sleeping);
	if (sleep % 2 == 0)
		return;
	/*
	 * Write first: a waker killed between the two calls has then woken the sleeper. In the other order the sleeper
	 * would never be woken. The compare-and-swap keeps a late waker from ending a later sleep.
	 */
	(void)!write(wake->fd, &one, sizeof one);
	(void)ck_pr_cas_32(wake->sleeping, sleep, sleep + 1);
}
