/*
 * Adds values of the store to objects in replies. Texts are followed by a NUL, as in rows; base NULL becomes null. All
 * functions end the process when out of memory. Any thread.
 */
#ifndef CONTROL_TREE_H
#define CONTROL_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/span.h"
#include "store/db_rows.h"

/* Makes an empty object. The caller owns it. */
cJSON *tree_new(void);

void tree_add_text(cJSON *tree, const char *name, struct span text);
void tree_add_bool(cJSON *tree, const char *name, bool value);
void tree_add_int(cJSON *tree, const char *name, int64_t value);

/* Adds the integer of a column, or null. */
void tree_add_int_of(cJSON *tree, const char *name, const struct db_rows *rows, uint32_t row, uint32_t column);

/* Adds a number, or null for 0: a missing time, or a number that is not set. */
void tree_add_int_or_null(cJSON *tree, const char *name, int64_t value);

/* Whether a text is one JSON value. */
bool tree_is_json(struct span text);

/* Adds JSON as stored. otherwise: the JSON to use for null, or for a text that is no JSON. */
void tree_add_json(cJSON *tree, const char *name, struct span json, const char *otherwise);

/* Adds the value, and takes ownership of it. */
void tree_add(cJSON *tree, const char *name, cJSON *value);

/* Replaces the text of the member of that name, which must exist. */
void tree_replace_text(cJSON *tree, const char *name, const char *text);

/* Adds the members of a JSON object, each as it was sent. */
void tree_add_members(cJSON *tree, struct span object);

#endif
