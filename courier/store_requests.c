/* A linked list of requests. */
#include "courier/store_requests.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
store_requests_init(struct store_requests *requests)
{
	requests->first = NULL;
	requests->end = &requests->first;
}

struct store_request *
store_requests_add(
    struct store_requests *requests, enum store_request_kind kind, const char *tenant_id, const uint8_t *id)
{
	struct store_request *request = mem_new(1, sizeof *request);

	request->kind = kind;
	request->tenant_id = mem_strdup(tenant_id);
	if (id != NULL)
		memcpy(request->id, id, sizeof request->id);
	*requests->end = request;
	requests->end = &request->next;
	return request;
}

void
store_requests_remove_first(struct store_requests *requests)
{
	struct store_request *request = requests->first;

	requests->first = request->next;
	if (requests->first == NULL)
		requests->end = &requests->first;
	free(request->tenant_id);
	free(request->result);
	free(request);
}

void
store_requests_clear(struct store_requests *requests)
{
	while (requests->first != NULL)
		store_requests_remove_first(requests);
}
