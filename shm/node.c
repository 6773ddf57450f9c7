/* The row has two words, so it is published like a ledger's page. */
#include "shm/node.h"

#include <ck_pr.h>

#include "shm/atomic64.h"

bool
node_read(const struct node_words *words, struct node_row *row)
{
	uint32_t turn;

	do {
		turn = ck_pr_load_32(&words->turn);
		ck_pr_fence_acquire();
		row->node_id = atomic64_load(&words->rows[turn % 2].node_id);
		row->epoch = atomic64_load(&words->rows[turn % 2].epoch);
		ck_pr_fence_acquire();
	} while (ck_pr_load_32(&words->turn) != turn);
	return row->node_id != 0;
}

void
node_write(struct node_words *words, const struct node_row *row)
{
	uint32_t next = words->turn + 1;

	ck_pr_fence_store();
	atomic64_store(&words->rows[next % 2].node_id, row->node_id);
	atomic64_store(&words->rows[next % 2].epoch, row->epoch);
	ck_pr_fence_release();
	ck_pr_store_32(&words->turn, next);
}

int64_t
node_since_us(const struct node_words *words)
{
	return atomic64_load(&words->since_us);
}

void
node_set_since_us(struct node_words *words, int64_t boot_us)
{
	atomic64_store(&words->since_us, boot_us);
}

int64_t
node_attempts_until_us(const struct node_words *words)
{
	int64_t boot_us = atomic64_load(&words->attempts_until_us);

	ck_pr_fence_acquire();
	return boot_us;
}

void
node_set_attempts_until_us(struct node_words *words, int64_t boot_us)
{
	ck_pr_fence_release();
	atomic64_store(&words->attempts_until_us, boot_us);
}

int64_t
node_heartbeat_us(const struct node_words *words)
{
	return atomic64_load(&words->heartbeat_us);
}

void
node_set_heartbeat_us(struct node_words *words, int64_t boot_us)
{
	atomic64_store(&words->heartbeat_us, boot_us);
}

int64_t
node_changes_version(const struct node_words *words)
{
	int64_t version = atomic64_load(&words->changes_version);

	ck_pr_fence_acquire();
	return version;
}

void
node_raise_changes_version(struct node_words *words, int64_t version)
{
	uint64_t *word = (uint64_t *)&words->changes_version, known;

	ck_pr_fence_release();
	do
		known = ck_pr_load_64(word);
	while ((int64_t)known < version && !ck_pr_cas_64(word, known, (uint64_t)version));
}
