/* Atomic loads and stores of a signed word of the segment. */
#ifndef SHM_ATOMIC64_H
#define SHM_ATOMIC64_H

#include <ck_pr.h>
#include <stdint.h>

static inline int64_t
atomic64_load(const int64_t *word)
{
	return (int64_t)ck_pr_load_64((const uint64_t *)word);
}

static inline void
atomic64_store(int64_t *word, int64_t value)
{
	ck_pr_store_64((uint64_t *)word, (uint64_t)value);
}

#endif
