/* The tables of roles and of the lanes between them. */
#include "shm/roles.h"

#include <string.h>

const struct role_info role_table[ROLES] = {
#define R(X, symbol, name, plural, count, most, slot) {name, plural, most},
    ROLE_LIST(R, _)
#undef R
};

const struct lane_group_info lane_group_table[LANE_GROUPS] = {
#define X(symbol, from, to, books, parts) {ROLE_##from, ROLE_##to, books, parts},
    LANE_GROUP_LIST(X)
#undef X
};

void
role_counts(const struct config *config, uint32_t counts[ROLES])
{
	const uint32_t asked[ROLES] = {
#define R(X, symbol, name, plural, count, most, slot) [ROLE_##symbol] = count,
	    ROLE_LIST(R, _)
#undef R
	};

	memcpy(counts, asked, sizeof asked);
}

uint64_t
role_lanes_of(const uint32_t counts[ROLES], enum lane_group group)
{
	const struct lane_group_info *info = &lane_group_table[group];

	return (uint64_t)counts[info->from] * (info->from == info->to ? 1 : counts[info->to]);
}

uint64_t
role_lanes(const uint32_t counts[ROLES])
{
	uint64_t lanes = 0;

	for (int g = 0; g < LANE_GROUPS; g++)
		lanes += role_lanes_of(counts, g);
	return lanes;
}
