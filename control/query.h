/* The query of a request: name=value&name=value, in which %41 stands for a byte and + for a space. Worker threads. */
#ifndef CONTROL_QUERY_H
#define CONTROL_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/request.h"

/* Room for the longest decoded value and a NUL. */
#define QUERY_VALUE_BYTES 513
#define QUERY_PARAMETERS_MAX 50

/*
 * Whether the query has at most QUERY_PARAMETERS_MAX parameters, each name and value is UTF-8 without NUL and fits into
 * QUERY_VALUE_BYTES, and no name occurs twice. If not, text says what is wrong and where. Called for each request
 * before its handler.
 */
bool query_is_readable(struct span query, char *text, size_t size);

/* Reads the decoded value of that name, with a NUL. An empty value counts as absent. Returns whether there is one. */
bool query_value(const struct request *request, const char *name, char out[QUERY_VALUE_BYTES]);

/* Whether the query has a parameter of that name, also one without a value. */
bool query_names(const struct request *request, const char *name);

/*
 * Reads the decimal integer of that name into *out, which is unchanged if there is none. false: it is no number from
 * min to max, and the reply says so (400).
 */
bool query_int(const struct request *request, const char *name, int64_t min, int64_t max, int64_t *out,
    struct reply *reply); /* six: a range and where to */

/* Whether each parameter has one of the names (a NULL-terminated list). If not, the reply says so (400). */
bool query_has_only(const struct request *request, const char *const *names, struct reply *reply);

/*
 * Reads true or false of that name into *out, as 1 or 0. Returns false for another word, and the reply says so
 * (400).
 */
bool query_bool(const struct request *request, const char *name, int *out, struct reply *reply);

#endif
