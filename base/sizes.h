/* Powers of 1024, in bytes. */
#ifndef BASE_SIZES_H
#define BASE_SIZES_H

#include <stdint.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

#endif
