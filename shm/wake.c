/* Sleep and wake-up across processes over a shared word and an eventfd. */
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
	 * In this order: a waker killed between the two has woken; the other way round it would leave a sleeper that
	 * nobody wakes any more. The number keeps a late waker from ending the sleep after the one it saw.
	 */
	(void)!write(wake->fd, &one, sizeof one);
	(void)ck_pr_cas_32(wake->sleeping, sleep, sleep + 1);
}
