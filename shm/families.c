/* The table of families. */
#include "shm/families.h"

const struct family_info family_table[FAMILIES] = {
#define X(symbol, kind, name, unit, labels, help) {KIND_##kind, "hooks_", name, unit, labels, help},
    FAMILY_LIST(X) DELIVERY_FAMILY_LIST(X)
#undef X
#define X(symbol, kind, name, unit, labels, help) {KIND_##kind, "hookline_", name, unit, labels, help},
	API_FAMILY_LIST(X)
#undef X
};
