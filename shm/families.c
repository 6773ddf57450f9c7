/* The table of families. */
#include "shm/families.h"

const struct family_info family_table[FAMILIES] = {
#define X(symbol, kind, name, unit, labels, help) {KIND_##kind, name, unit, labels, help},
    FAMILY_LIST(X)
#undef X
};
