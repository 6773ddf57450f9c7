/* A hash table with linear probing. Removing a cell moves later ones up. */
#include "server/holdings.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define FIRST_CELLS 16

/* The cell of the client, or the empty cell where it would go. The table has cells. */
static struct holding *
cell_of(const struct holdings *holdings, uint64_t client)
{
	uint32_t at = (uint32_t)client & (holdings->size - 1);

	while (holdings->cells[at].amount != 0 && holdings->cells[at].client != client)
		at = (at + 1) & (holdings->size - 1);
	return &holdings->cells[at];
}

static void
grow(struct holdings *holdings)
{
	struct holdings larger = {
	    .size = holdings->size == 0 ? FIRST_CELLS : holdings->size * 2, .used = holdings->used};

	larger.cells = mem_new(larger.size, sizeof *larger.cells);
	for (uint32_t i = 0; i < holdings->size; i++)
		if (holdings->cells[i].amount != 0)
			*cell_of(&larger, holdings->cells[i].client) = holdings->cells[i];
	free(holdings->cells);
	*holdings = larger;
}

uint64_t
holdings_of(const struct holdings *holdings, uint64_t client)
{
	return holdings->size > 0 ? cell_of(holdings, client)->amount : 0;
}

void
holdings_add(struct holdings *holdings, uint64_t client, uint64_t amount)
{
	struct holding *cell;

	if (amount == 0)
		return;
	if (holdings->used >= holdings->size / 2)
		grow(holdings);
	cell = cell_of(holdings, client);
	if (cell->amount == 0)
		holdings->used++;
	cell->client = client;
	cell->amount += amount;
}

/* Fills the empty cell with a later one that could not be found behind the gap, and so on. */
static void
close_gap(struct holdings *holdings, uint32_t empty)
{
	const uint32_t mask = holdings->size - 1;

	for (uint32_t at = (empty + 1) & mask; holdings->cells[at].amount != 0; at = (at + 1) & mask) {
		uint32_t home = (uint32_t)holdings->cells[at].client & mask;

		if (((at - home) & mask) < ((at - empty) & mask))
			continue; /* its home is after the empty cell */
		holdings->cells[empty] = holdings->cells[at];
		holdings->cells[at].amount = 0;
		empty = at;
	}
}

void
holdings_take(struct holdings *holdings, uint64_t client, uint64_t amount)
{
	struct holding *cell;

	if (amount == 0)
		return;
	assert(holdings->size > 0);
	cell = cell_of(holdings, client);
	assert(cell->amount >= amount);
	cell->amount -= amount;
	if (cell->amount > 0)
		return;
	holdings->used--;
	close_gap(holdings, (uint32_t)(cell - holdings->cells));
}
