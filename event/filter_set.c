/* Builds sets of filters: paths become nodes of a trie, values of `contains` become needles. See filter_set.h. */
#include "event/filter_set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define INDEX_NONE UINT32_MAX
#define INDEX_DIGITS_MAX 9

static bool
has_step(const struct filter_node *node)
{
	return node->kind != FILTER_AND && node->kind != FILTER_OR && node->kind != FILTER_NOT;
}

static struct span
step_name(const struct filter *filter, uint32_t step)
{
	return (struct span){filter->text.base + filter->steps[step].name.at, filter->steps[step].name.len};
}

static uint32_t
step_depth(const struct filter *filter, uint32_t step)
{
	uint32_t depth = 0;

	for (; step != FILTER_NO_STEP; step = filter->steps[step].parent)
		depth++;
	return depth;
}

/* Calls act for each condition on a path. */
static void
each_condition(
    struct filter_set *set, void (*act)(struct filter *filter, struct filter_node *node, void *ctx), void *ctx)
{
	for (uint32_t i = 0; i < set->count; i++)
		for (uint32_t j = 0; j < set->filters[i].node_count; j++)
			if (has_step(&set->filters[i].nodes[j]))
				act(&set->filters[i], &set->filters[i].nodes[j], ctx);
}

/* --- paths ------------------------------------------------------------------------------------------------------- */

struct paths {
	struct filter_set *set;
	struct filter_node **nodes;
	struct trie_word *words;
	uint32_t *numbers;
	size_t count, number_count;
};

static void
count_path(struct filter *filter, struct filter_node *node, void *ctx)
{
	struct paths *paths = ctx;

	paths->count++;
	paths->number_count += step_depth(filter, node->step);
}

static void
add_path(struct filter *filter, struct filter_node *node, void *ctx)
{
	struct paths *paths = ctx;
	uint32_t depth = step_depth(filter, node->step), step = node->step;
	uint32_t *numbers = paths->numbers + paths->number_count;

	for (uint32_t i = depth; i-- > 0; step = filter->steps[step].parent)
		numbers[i] = name_table_find(&paths->set->names, step_name(filter, step));
	paths->words[paths->count] = (struct trie_word){numbers, depth, (uint32_t)paths->count, 0};
	paths->nodes[paths->count++] = node;
	paths->number_count += depth;
}

/* The name as a list index, or INDEX_NONE. */
static uint32_t
index_of(const struct name_table *names, uint32_t number)
{
	const struct name *name = &names->names[number];
	const char *digits = names->text.base + name->at;
	uint32_t index = 0;

	if (name->len == 0 || name->len > INDEX_DIGITS_MAX || (digits[0] == '0' && name->len > 1))
		return INDEX_NONE;
	for (uint32_t i = 0; i < name->len; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return INDEX_NONE;
		index = 10 * index + (uint32_t)(digits[i] - '0');
	}
	return index;
}

/* Names are sorted by length, then by bytes, so children that are indexes are in ascending order. */
static void
make_places(struct filter_set *set)
{
	const struct trie *paths = &set->paths;

	set->places = mem_new(paths->count + 1, sizeof *set->places);
	set->indexes = mem_new(paths->count + 1, sizeof *set->indexes);
	for (uint32_t node = 0; node < paths->count; node++) {
		const struct trie_node *parent = &paths->nodes[node];

		set->places[node].needles = NEEDLE_NONE;
		set->places[node].first_index = set->index_count;
		set->places[node].inside = parent->count > 0;
		for (uint32_t child = parent->first; child < parent->first + parent->count; child++) {
			uint32_t index = index_of(&set->names, paths->nodes[child].number);

			set->places[child].parent = node;
			if (index != INDEX_NONE)
				set->indexes[set->index_count++] = (struct filter_index){index, child};
		}
	}
	set->places[paths->count].first_index = set->index_count;
	set->indexes = mem_resize(set->indexes, set->index_count + 1, sizeof *set->indexes);
}

static void
build_paths(struct filter_set *set)
{
	struct paths paths = {.set = set};

	for (uint32_t i = 0; i < set->count; i++)
		for (uint32_t j = 0; j < set->filters[i].step_count; j++)
			name_table_add(&set->names, step_name(&set->filters[i], j));
	name_table_seal(&set->names);

	each_condition(set, count_path, &paths);
	assert(paths.count < TRIE_NONE && paths.number_count < TRIE_NONE);
	paths.nodes = mem_new(paths.count + 1, sizeof(struct filter_node *));
	paths.words = mem_new(paths.count + 1, sizeof *paths.words);
	paths.numbers = mem_new(paths.number_count + 1, sizeof *paths.numbers);
	paths.count = paths.number_count = 0;
	each_condition(set, add_path, &paths);
	trie_build(&set->paths, paths.words, (uint32_t)paths.count);
	for (size_t i = 0; i < paths.count; i++)
		paths.nodes[paths.words[i].tag]->step = paths.words[i].node;
	free(paths.nodes);
	free(paths.words);
	free(paths.numbers);
	make_places(set);
}

/* --- contains ---------------------------------------------------------------------------------------------------- */

/* A `contains`: its condition and the text of its value. */
struct wanted {
	struct filter_node *node;
	const char *text;
};

struct wants {
	struct filter_set *set;
	struct wanted *wanted;
	uint32_t count;
};

static void
add_want(struct filter *filter, struct filter_node *node, void *ctx)
{
	struct wants *wants = ctx;

	if (node->kind == FILTER_OBJECT || node->kind == FILTER_LIST || node->kind == FILTER_CONTAINS)
		wants->set->places[node->step].inside = true;
	if (node->kind != FILTER_CONTAINS)
		return;
	if ((wants->count & (wants->count - 1)) == 0)
		wants->wanted = mem_resize(wants->wanted, 2 * (size_t)wants->count + 1, sizeof *wants->wanted);
	wants->wanted[wants->count++] = (struct wanted){node, filter->text.base};
}

static int
compare_places(const void *one, const void *other)
{
	const struct wanted *a = one, *b = other;

	return (a->node->step > b->node->step) - (a->node->step < b->node->step);
}

/* Makes the needles of wanted[0..count), all of one place. */
static void
make_needles(struct filter_set *set, const struct wanted *wanted, uint32_t count)
{
	struct filter_place *place = &set->places[wanted[0].node->step];
	struct needle *values = mem_new(count, sizeof *values);

	for (uint32_t i = 0; i < count; i++) {
		const struct filter_node *node = wanted[i].node;

		values[i].type = node->type;
		values[i].number = node->number;
		values[i].string = (struct span){wanted[i].text + node->string.at, node->string.len};
	}
	place->needles = set->needles_count;
	place->first_hit = set->hit_count;
	set->needles[set->needles_count] = needles_new(values, count);
	for (uint32_t i = 0; i < count; i++)
		wanted[i].node->count = set->hit_count + values[i].hit;
	set->hit_count += needles_hits(set->needles[set->needles_count++]);
	free(values);
}

static void
build_needles(struct filter_set *set)
{
	struct wants wants = {.set = set};
	uint32_t high;

	each_condition(set, add_want, &wants);
	set->needles = mem_new(wants.count + 1, sizeof(struct needles *));
	if (wants.count > 0)
		qsort(wants.wanted, wants.count, sizeof *wants.wanted, compare_places);
	for (uint32_t low = 0; low < wants.count; low = high) {
		for (high = low; high < wants.count && wants.wanted[high].node->step == wants.wanted[low].node->step;)
			high++;
		make_needles(set, wants.wanted + low, high - low);
	}
	free(wants.wanted);
}

struct filter_set *
filter_set_new(const struct filter *filters, uint32_t count)
{
	struct filter_set *set = mem_new(1, sizeof *set);

	set->filters = mem_new(count + 1, sizeof *set->filters);
	set->count = count;
	if (count > 0)
		memcpy(set->filters, filters, count * sizeof *filters);
	build_paths(set);
	build_needles(set);
	/* Nodes of paths have replaced the steps. */
	for (uint32_t i = 0; i < count; i++) {
		free(set->filters[i].steps);
		set->filters[i].steps = NULL;
		set->filters[i].step_count = 0;
	}
	return set;
}

void
filter_set_free(struct filter_set *set)
{
	if (set == NULL)
		return;
	for (uint32_t i = 0; i < set->count; i++)
		filter_free(&set->filters[i]);
	for (uint32_t i = 0; i < set->needles_count; i++)
		needles_free(set->needles[i]);
	name_table_free(&set->names);
	trie_free(&set->paths);
	free(set->filters);
	free(set->places);
	free(set->indexes);
	free(set->needles);
	free(set);
}

size_t
filter_set_bytes(const struct filter_set *set)
{
	size_t bytes = sizeof *set + name_table_bytes(&set->names) + trie_bytes(&set->paths) +
		       (set->paths.count + 1) * sizeof *set->places + (set->index_count + 1) * sizeof *set->indexes +
		       set->needles_count * sizeof(struct needles *);

	for (uint32_t i = 0; i < set->needles_count; i++)
		bytes += needles_bytes(set->needles[i]);
	for (uint32_t i = 0; i < set->count; i++)
		bytes += sizeof(struct filter) + set->filters[i].node_count * sizeof(struct filter_node) +
			 set->filters[i].text.capacity;
	return bytes;
}
