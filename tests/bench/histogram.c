/* A value below 128 has a part of its own. The others are counted by their highest seven bits. */
#include "tests/bench/histogram.h"

#define PARTS (UINT64_C(1) << HISTOGRAM_PART_BITS)
#define COUNTS (HISTOGRAM_POWERS * PARTS)

static uint64_t
index_of(uint64_t value)
{
	unsigned shift;
	uint64_t index;

	if (value < 2 * PARTS)
		return value;
	shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_PART_BITS;
	index = shift * PARTS + (value >> shift);
	return index < COUNTS ? index : COUNTS - 1;
}

static uint64_t
end_of(uint64_t index)
{
	uint64_t shift = index < 2 * PARTS ? 0 : index / PARTS - 1;

	return ((index - shift * PARTS + 1) << shift) - 1;
}

void
histogram_add(struct histogram *h, uint64_t value)
{
	h->counts[index_of(value)]++;
	h->total++;
	if (value > h->max)
		h->max = value;
}

uint64_t
histogram_quantile(const struct histogram *h, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)h->total + 0.999999);
	uint64_t seen = 0;

	for (uint64_t i = 0; i < COUNTS; i++) {
		seen += h->counts[i];
		if (seen >= wanted && seen > 0)
			return end_of(i) < h->max ? end_of(i) : h->max;
	}
	return 0;
}
