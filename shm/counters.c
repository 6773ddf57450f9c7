/* The table behind the counters' names. */
#include "shm/counters.h"

const struct counter_info counter_table[COUNTERS] = {
#define X(symbol, name, help) {name, help},
    COUNTER_LIST(X)
#undef X
};
