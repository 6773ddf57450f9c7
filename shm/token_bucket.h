/*
 * A token bucket that processes share without a lock: one word, by the generic cell rate algorithm. The bucket holds
 * the tokens of one second. A request passes if a whole token is left, whatever its cost: the excess is a debt, and
 * nothing passes until it is paid. So a rate of n passes n small requests at once, or one large one, which makes the
 * others wait.
 */
#ifndef SHM_TOKEN_BUCKET_H
#define SHM_TOKEN_BUCKET_H

#include <stdint.h>

/* The most tokens that one call may take. */
#define TOKEN_BUCKET_AMOUNT_MAX (1ull << 32)

/*
 * The word of a full bucket is 0. per_second is 1 or more; now_us is of the steady clock. Returns 0 after taking
 * amount, else takes nothing and returns the microseconds until a token is left. Any process, at any time.
 */
int64_t token_bucket_take(uint64_t *bucket, uint64_t per_second, uint64_t amount, int64_t now_us);

/* Reverts a token_bucket_take(). */
void token_bucket_put_back(uint64_t *bucket, uint64_t per_second, uint64_t amount);

/* The result that token_bucket_take() would have now. */
int64_t token_bucket_wait_us(const uint64_t *bucket, uint64_t per_second, int64_t now_us);

#endif
