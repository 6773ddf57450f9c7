/* The query of a request: name=value&name=value, where %41 stands for a byte and + for a space. Worker threads. */
#ifndef CONTROL_QUERY_H
#define CONTROL_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "control/request.h"

/* Room for the longest decoded value and a NUL. */
#define QUERY_VALUE_BYTES 513

/*
 * Whether every name and value is UTF-8 without NUL and fits into QUERY_VALUE_BYTES. If not, text says what is wrong
 * and where. Called for each request before its handler.
 */
bool query_is_readable(struct span query, char *text, size_t size);

/*
 * The decoded value of that name, with a NUL. An empty value counts as absent; of several the first counts. Returns
 * whether there is one.
 */
bool query_value(const struct request *request, const char *name, char out[QUERY_VALUE_BYTES]);

#endif
