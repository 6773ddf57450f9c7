/* The tables of series. */
#include "shm/series.h"

#define X(symbol, family, labels) {FAMILY_##family, labels},
const struct series counter_table[COUNTERS] = {COUNTER_LIST(X)};
const struct series gauge_table[GAUGES] = {GAUGE_LIST(X)};
const struct series level_table[LEVELS] = {LEVEL_LIST(X)};
#undef X

#define X(symbol, family, first, last) {FAMILY_##family, first, last},
const struct histogram_info histogram_table[HISTOGRAMS] = {HISTOGRAM_LIST(X)};
#undef X
