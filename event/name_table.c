/* A sorted array of names. */
#include "event/name_table.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

static uint64_t
head_of(struct span name)
{
	uint64_t head = 0;

	memcpy(&head, name.base, name.len < sizeof head ? name.len : sizeof head);
	return be64toh(head);
}

/* Length and head nearly always decide. */
static int
compare(uint64_t head, struct span one, const struct name *other, const char *text)
{
	if (one.len != other->len)
		return one.len < other->len ? -1 : 1;
	if (head != other->head)
		return head < other->head ? -1 : 1;
	return one.len <= sizeof head ? 0 : memcmp(one.base, text + other->at, one.len);
}

static int
compare_two(const void *one, const void *other, void *text)
{
	const struct name *name = one;

	return compare(name->head, (struct span){(const char *)text + name->at, name->len}, other, text);
}

void
name_table_add(struct name_table *table, struct span name)
{
	assert(table->text.len + name.len <= UINT32_MAX);
	if (table->count == table->room) {
		table->room = 2 * table->room + 8;
		table->names = mem_resize(table->names, table->room, sizeof *table->names);
	}
	table->names[table->count++] = (struct name){
	    .head = head_of(name),
	    .at = (uint32_t)table->text.len,
	    .len = (uint32_t)name.len,
	};
	bytes_add(&table->text, name.base, name.len);
}

void
name_table_seal(struct name_table *table)
{
	struct bytes text = {0};
	uint32_t count = 0;

	if (table->count == 0)
		return;
	qsort_r(table->names, table->count, sizeof *table->names, compare_two, table->text.base);
	for (uint32_t i = 0; i < table->count; i++) {
		struct name name = table->names[i];

		if (count > 0 && compare_two(&table->names[count - 1], &name, table->text.base) == 0)
			continue;
		table->names[count++] = name;
	}
	/* Drop the text of duplicates. */
	for (uint32_t i = 0; i < count; i++) {
		struct name *name = &table->names[i];

		bytes_add(&text, table->text.base + name->at, name->len);
		name->at = (uint32_t)text.len - name->len;
	}
	bytes_free(&table->text);
	text.base = mem_resize(text.base, text.len + 1, 1);
	text.capacity = text.len + 1;
	table->text = text;
	table->count = table->room = count;
	table->names = mem_resize(table->names, count, sizeof *table->names);
}

uint32_t
name_table_find(const struct name_table *table, struct span name)
{
	const uint64_t head = head_of(name);
	uint32_t low = 0, high = table->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = compare(head, name, &table->names[middle], table->text.base);

		if (order == 0)
			return middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NAME_NONE;
}

size_t
name_table_bytes(const struct name_table *table)
{
	return table->room * sizeof *table->names + table->text.capacity;
}

void
name_table_free(struct name_table *table)
{
	free(table->names);
	bytes_free(&table->text);
	*table = (struct name_table){0};
}
