/* Allocation that cannot fail: it ends the process instead. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

void
mem_none(size_t bytes)
{
	log_error("out of memory", LOG_UINT("bytes", bytes));
	abort();
}

void *
mem_new(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (memory == NULL)
		mem_none(count * size);
	return memory;
}

void *
mem_resize(void *old, size_t count, size_t size)
{
	void *memory = reallocarray(old, count, size);

	if (memory == NULL)
		mem_none(count * size);
	return memory;
}

char *
mem_strdup(const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		mem_none(strlen(text) + 1);
	return copy;
}

char *
mem_printf(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		mem_none(0);
	va_end(arguments);
	return text;
}
