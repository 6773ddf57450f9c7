/* The original needed these; this service does not. */
#include "config/old_names.h"

#include <stddef.h>

const char *const old_names[] = {
    "HL_SINGLE_TENANT", "HL_DELIVERY_WORKERS", "HL_STORE_SOCKET", "HL_STORE_POOL_SIZE", "HL_COMPACT_INTERVAL_MS", NULL};
