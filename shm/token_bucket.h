/*
 * A token bucket that processes share without a lock: one word, by the generic cell rate algorithm. The bucket holds
 * what flows in in one second. Something passes while a whole token is left, however many it costs: what it takes
 * beyond is a debt, and nothing more passes until that has been paid. So n tokens a second let n small things through
 * at once, and one large thing that then keeps the others waiting.
 */
#ifndef SHM_TOKEN_BUCKET_H
#define SHM_TOKEN_BUCKET_H

#include <stdint.h>

/* The most tokens that one call may take. */
#define TOKEN_BUCKET_AMOUNT_MAX (1ull << 32)

/*
 * The word of a full bucket is 0. per_second is 1 or more; now_us is of the steady clock. Returns 0 when amount has
 * been taken, else in how many microseconds a token will be left: nothing was taken then. Any process, at any time.
 */
int64_t token_bucket_take(uint64_t *bucket, uint64_t per_second, uint64_t amount, int64_t now_us);

/* Puts back what token_bucket_take() has just taken. */
void token_bucket_put_back(uint64_t *bucket, uint64_t per_second, uint64_t amount);

/* What token_bucket_take() would return now. */
int64_t token_bucket_wait_us(const uint64_t *bucket, uint64_t per_second, int64_t now_us);

#endif
