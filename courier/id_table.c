/* Hash chains, at least as many as things. */
#include "courier/id_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_SIZE 64u

static struct id_link **
chain(const struct id_table *table, const uint8_t id[16])
{
	uint64_t halves[2];

	memcpy(halves, id, sizeof halves);
	return &table->chains[((halves[0] ^ halves[1]) * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & (table->size - 1)];
}

static void
grow(struct id_table *table)
{
	struct id_table larger = {.size = table->size == 0 ? FIRST_SIZE : 2 * table->size};

	larger.chains = mem_new(larger.size, sizeof *larger.chains);
	for (uint32_t i = 0; i < table->size; i++)
		while (table->chains[i] != NULL) {
			struct id_link *link = table->chains[i];

			table->chains[i] = link->next;
			id_table_add(&larger, link);
		}
	free(table->chains);
	*table = larger;
}

void
id_table_add(struct id_table *table, struct id_link *link)
{
	struct id_link **first;

	if (table->count == table->size)
		grow(table);
	first = chain(table, link->id);
	link->next = *first;
	*first = link;
	table->count++;
}

void
id_table_remove(struct id_table *table, struct id_link *link)
{
	struct id_link **at = chain(table, link->id);

	for (; *at != link; at = &(*at)->next)
		assert(*at != NULL);
	*at = link->next;
	link->next = NULL;
	table->count--;
}

static struct id_link *
first_with(struct id_link *link, const uint8_t id[16])
{
	while (link != NULL && memcmp(link->id, id, 16) != 0)
		link = link->next;
	return link;
}

struct id_link *
id_table_find(const struct id_table *table, const uint8_t id[16])
{
	return table->size == 0 ? NULL : first_with(*chain(table, id), id);
}

struct id_link *
id_table_next(const struct id_link *link)
{
	return first_with(link->next, link->id);
}

struct id_link **
id_table_list(const struct id_table *table)
{
	struct id_link **links = mem_new(table->count + 1, sizeof(struct id_link *));
	uint32_t count = 0;

	for (uint32_t i = 0; i < table->size; i++)
		for (struct id_link *link = table->chains[i]; link != NULL; link = link->next)
			links[count++] = link;
	assert(count == table->count);
	return links;
}

void
id_table_free(struct id_table *table)
{
	free(table->chains);
	*table = (struct id_table){0};
}
