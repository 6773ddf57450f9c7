/* The two clocks: one for what is stored, one for how long things take. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Microseconds since 1970-01-01T00:00:00Z. May jump. For timestamps. */
int64_t clock_wall_us(void);

/* Microseconds of a clock that never jumps, comparable between processes of one boot. For time-outs. */
int64_t clock_steady_us(void);

#endif
