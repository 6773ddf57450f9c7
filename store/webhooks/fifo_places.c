/* Sorts the jobs by endpoint, so that each endpoint's row is claimed once. */
#include "store/webhooks/fifo_places.h"

#include <stdlib.h>

#include "base/mem.h"

static int
compare_endpoints(const struct fifo_place_request *a, const struct fifo_place_request *b)
{
	const struct fifo_claim one = {.tenant_id = a->tenant_id, .endpoint_id = a->endpoint_id};
	const struct fifo_claim other = {.tenant_id = b->tenant_id, .endpoint_id = b->endpoint_id};

	return fifo_heads_compare(&one, &other);
}

/* By endpoint, then in the given order. */
static int
compare_requests(const void *a, const void *b)
{
	const struct fifo_place_request *one = a, *other = b;
	int order = compare_endpoints(one, other);

	return order != 0 ? order : (one->number > other->number) - (one->number < other->number);
}

/* The end of the requests for the same endpoint as the one at `from`. */
static uint32_t
end_of(const struct fifo_place_request *requests, uint32_t count, uint32_t from)
{
	uint32_t end = from + 1;

	while (end < count && compare_endpoints(&requests[from], &requests[end]) == 0)
		end++;
	return end;
}

/* Gives the requests of an endpoint their places, up to its last place. */
static void
place(struct fifo_place_request *requests, uint32_t begin, uint32_t end, const struct fifo_claim *claim)
{
	for (uint32_t k = begin; k < end; k++) {
		*requests[k].seq = claim->places > 0 ? claim->last_seq - (int64_t)(end - 1 - k) : FIFO_FRONT;
		*requests[k].node_id = claim->node_id;
	}
}

enum how { NEXT, FRONT, TRY };

static int
take(struct db *db, int64_t node_id, struct fifo_place_request *requests, uint32_t count, enum how how,
    struct error *err)
{
	struct fifo_claim *claims;
	uint32_t endpoints = 0;
	int rc;

	if (count == 0)
		return 0;
	for (uint32_t i = 0; i < count; i++)
		requests[i].number = i;
	qsort(requests, count, sizeof *requests, compare_requests);
	claims = mem_new(count, sizeof *claims);
	for (uint32_t i = 0, end; i < count; i = end) {
		end = end_of(requests, count, i);
		claims[endpoints++] = (struct fifo_claim){.tenant_id = requests[i].tenant_id,
		    .endpoint_id = requests[i].endpoint_id,
		    .places = how == NEXT ? end - i : 0};
	}
	rc = (how == TRY ? fifo_heads_try : fifo_heads_claim)(db, node_id, claims, endpoints, err);
	endpoints = 0;
	for (uint32_t i = 0, end; rc == 0 && i < count; i = end) {
		end = end_of(requests, count, i);
		place(requests, i, end, &claims[endpoints++]);
	}
	free(claims);
	return rc;
}

int
fifo_places_take(struct db *db, int64_t node_id, struct fifo_place_request *requests, uint32_t count, struct error *err)
{
	return take(db, node_id, requests, count, NEXT, err);
}

int
fifo_places_front(
    struct db *db, int64_t node_id, struct fifo_place_request *requests, uint32_t count, struct error *err)
{
	return take(db, node_id, requests, count, FRONT, err);
}

int
fifo_places_try(struct db *db, int64_t node_id, struct fifo_place_request *requests, uint32_t count, struct error *err)
{
	return take(db, node_id, requests, count, TRY, err);
}
