/* The clocks: one for what is stored, one for how long things take, one for how old things are. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Microseconds since 1970-01-01T00:00:00Z. May jump. For timestamps. */
int64_t clock_wall_us(void);

/* Microseconds of a clock that never jumps, comparable between processes of one boot. For time-outs. */
int64_t clock_steady_us(void);

/* As clock_steady_us(), but it also counts the time in which the machine slept. For how old something is. */
int64_t clock_boot_us(void);

/* How long to sleep at most_ms for something that is due then: milliseconds, rounded up, 0 if it is due now. */
int32_t clock_wait_ms(int64_t due_us, int64_t now_us, int32_t most_ms);

#endif
