/* The tables of roles and of the lanes between them. */
#include "shm/roles.h"

#include "shm/slots.h"

const struct role_info role_table[ROLES] = {
#define R(X, symbol, name, most, slot) {name, most, sizeof(slot)},
    ROLE_LIST(R, _)
#undef R
};

const struct lane_group_info lane_group_table[LANE_GROUPS] = {
#define X(symbol, from, to) {ROLE_##from, ROLE_##to},
    LANE_GROUP_LIST(X)
#undef X
};
