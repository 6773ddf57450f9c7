/* A hash table with linear probing. Removing a cell moves later ones up. */
#include "server/client_amounts.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define FIRST_CELLS 16

/* The cell of the client, or the empty cell where it would go. The table has cells. */
static struct client_amount *
cell_of(const struct client_amounts *amounts, uint64_t client)
{
	uint32_t at = (uint32_t)client & (amounts->size - 1);

	while (amounts->cells[at].amount != 0 && amounts->cells[at].client != client)
		at = (at + 1) & (amounts->size - 1);
	return &amounts->cells[at];
}

static void
grow(struct client_amounts *amounts)
{
	struct client_amounts larger = {
	    .size = amounts->size == 0 ? FIRST_CELLS : amounts->size * 2, .used = amounts->used};

	larger.cells = mem_new(larger.size, sizeof *larger.cells);
	for (uint32_t i = 0; i < amounts->size; i++)
		if (amounts->cells[i].amount != 0)
			*cell_of(&larger, amounts->cells[i].client) = amounts->cells[i];
	free(amounts->cells);
	*amounts = larger;
}

uint64_t
client_amounts_of(const struct client_amounts *amounts, uint64_t client)
{
	return amounts->size > 0 ? cell_of(amounts, client)->amount : 0;
}

void
client_amounts_add(struct client_amounts *amounts, uint64_t client, uint64_t amount)
{
	struct client_amount *cell;

	if (amount == 0)
		return;
	if (amounts->used >= amounts->size / 2)
		grow(amounts);
	cell = cell_of(amounts, client);
	if (cell->amount == 0)
		amounts->used++;
	cell->client = client;
	cell->amount += amount;
}

/* Fills the empty cell with a later one that could not be found behind the gap, and so on. */
static void
close_gap(struct client_amounts *amounts, uint32_t empty)
{
	const uint32_t mask = amounts->size - 1;

	for (uint32_t at = (empty + 1) & mask; amounts->cells[at].amount != 0; at = (at + 1) & mask) {
		uint32_t home = (uint32_t)amounts->cells[at].client & mask;

		if (((at - home) & mask) < ((at - empty) & mask))
			continue; /* its home is after the empty cell */
		amounts->cells[empty] = amounts->cells[at];
		amounts->cells[at].amount = 0;
		empty = at;
	}
}

void
client_amounts_take(struct client_amounts *amounts, uint64_t client, uint64_t amount)
{
	struct client_amount *cell;

	if (amount == 0)
		return;
	assert(amounts->size > 0);
	cell = cell_of(amounts, client);
	assert(cell->amount >= amount);
	cell->amount -= amount;
	if (cell->amount > 0)
		return;
	amounts->used--;
	close_gap(amounts, (uint32_t)(cell - amounts->cells));
}
