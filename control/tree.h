/*
 * Members of objects in replies, from values of the store. Texts are followed by a NUL, as those of rows are; one whose
 * base is NULL becomes null. All end the process when out of memory. Any thread.
 */
#ifndef CONTROL_TREE_H
#define CONTROL_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/span.h"
#include "store/db_rows.h"

/* An empty object. The caller owns it. */
cJSON *tree_new(void);

void tree_add_text(cJSON *tree, const char *name, struct span text);
void tree_add_bool(cJSON *tree, const char *name, bool value);
void tree_add_int(cJSON *tree, const char *name, int64_t value);

/* The whole number of a column, or null. */
void tree_add_int_of(cJSON *tree, const char *name, const struct db_rows *rows, uint32_t row, uint32_t column);

/* null for 0: a time in ms that is not there, or a number that is not set. */
void tree_add_int_or_null(cJSON *tree, const char *name, int64_t value);

/* Whether a text is one JSON value. */
bool tree_is_json(struct span text);

/* JSON that the store keeps as it was sent. otherwise: the JSON for null, and for a text that is no JSON. */
void tree_add_json(cJSON *tree, const char *name, struct span json, const char *otherwise);

/* Takes the value. */
void tree_add(cJSON *tree, const char *name, cJSON *value);

/* Writes another text in the place of the member of that name, which is there. */
void tree_replace_text(cJSON *tree, const char *name, const char *text);

/* The members of a JSON object, each as it was sent. */
void tree_add_members(cJSON *tree, struct span object);

#endif
