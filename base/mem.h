/* Allocation that ends the process when memory is exhausted; the supervisor starts another (base/error.h). */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Zeroed memory for count items of size bytes. Never NULL. Release with free(). */
void *mem_new(size_t count, size_t size);

/* Resized memory, contents kept, new bytes undefined. Never NULL. */
void *mem_resize(void *old, size_t count, size_t size);

/* A copy of text. Never NULL. */
char *mem_strdup(const char *text);

/* Text as by printf(3). Never NULL. */
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Logs "out of memory" and ends the process: for a library's failed allocation. bytes: its size, 0 if unknown. */
void mem_none(size_t bytes) __attribute__((noreturn));

#endif
