/* The clocks: one for what is stored, one for how long things take, one for how old things are. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Microseconds since 1970-01-01T00:00:00Z. May jump. For timestamps. */
int64_t clock_wall_us(void);

/* Microseconds of a clock that never jumps. All processes of one boot read the same clock. For time-outs. */
int64_t clock_steady_us(void);

/* As clock_steady_us(), and it also counts while the machine is suspended. For ages. */
int64_t clock_boot_us(void);

/* Milliseconds until due_us, rounded up and at most most_ms; 0 if that is past. */
int32_t clock_wait_ms(int64_t due_us, int64_t now_us, int32_t most_ms);

#endif
