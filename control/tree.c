/* Adds members to cJSON objects. */
#include "control/tree.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/document.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "event/scan.h"

cJSON *
tree_new(void)
{
	cJSON *tree = cJSON_CreateObject();

	if (tree == NULL)
		mem_none(0);
	return tree;
}

void
tree_add(cJSON *tree, const char *name, cJSON *value)
{
	if (value == NULL || !cJSON_AddItemToObject(tree, name, value))
		mem_none(0);
}

void
tree_add_text(cJSON *tree, const char *name, struct span text)
{
	tree_add(tree, name, text.base != NULL ? cJSON_CreateString(text.base) : cJSON_CreateNull());
}

void
tree_add_bool(cJSON *tree, const char *name, bool value)
{
	tree_add(tree, name, cJSON_CreateBool(value));
}

void
tree_add_int(cJSON *tree, const char *name, int64_t value)
{
	char digits[24];

	/* A cJSON number is a double, and would be printed with an exponent if large. */
	(void)snprintf(digits, sizeof digits, "%" PRId64, value);
	tree_add(tree, name, cJSON_CreateRaw(digits));
}

void
tree_add_int_of(cJSON *tree, const char *name, const struct db_rows *rows, uint32_t row, uint32_t column)
{
	if (db_rows_null(rows, row, column))
		tree_add(tree, name, cJSON_CreateNull());
	else
		tree_add_int(tree, name, db_rows_int(rows, row, column));
}

void
tree_add_int_or_null(cJSON *tree, const char *name, int64_t value)
{
	if (value != 0)
		tree_add_int(tree, name, value);
	else
		tree_add(tree, name, cJSON_CreateNull());
}

bool
tree_is_json(struct span text)
{
	struct scan scan;
	struct json value;

	return text.base != NULL && scan_begin(&scan, text.base, text.len) && scan_value(&scan, &value) &&
	       scan_finish(&scan);
}

void
tree_add_json(cJSON *tree, const char *name, struct span json, const char *otherwise)
{
	/* A text edited in SQLite may be no JSON, and would make the whole reply invalid. */
	tree_add(tree, name, cJSON_CreateRaw(tree_is_json(json) ? json.base : otherwise));
}

void
tree_replace_text(cJSON *tree, const char *name, const char *text)
{
	cJSON *value = cJSON_CreateString(text);

	if (value == NULL || !cJSON_ReplaceItemInObjectCaseSensitive(tree, name, value))
		mem_none(0);
}

/* name and value are NUL-terminated copies in one buffer. */
static void
add_member(cJSON *tree, const struct document_member *member, struct bytes *copy)
{
	copy->len = 0;
	bytes_add(copy, member->name.base, member->name.len);
	bytes_add(copy, "", 1);
	bytes_add(copy, member->value.text, member->value.len);
	bytes_add(copy, "", 1);
	tree_add(tree, copy->base, cJSON_CreateRaw(copy->base + member->name.len + 1));
}

void
tree_add_members(cJSON *tree, struct span object)
{
	struct document_error ignored = {0};
	struct document members;
	struct bytes copy = {0};

	if (object.base == NULL)
		return;
	(void)document_open(&members, object, &ignored);
	for (size_t i = 0; i < members.count; i++)
		add_member(tree, &members.members[i], &copy);
	document_close(&members);
	bytes_free(&copy);
}
