/* A linked list of errands. */
#include "courier/errands.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
errands_init(struct errands *errands)
{
	errands->first = NULL;
	errands->end = &errands->first;
}

struct errand *
errands_add(struct errands *errands, enum errand_kind kind, const char *tenant_id, const uint8_t *id)
{
	struct errand *errand = mem_new(1, sizeof *errand);

	errand->kind = kind;
	errand->tenant_id = mem_strdup(tenant_id);
	if (id != NULL)
		memcpy(errand->id, id, sizeof errand->id);
	*errands->end = errand;
	errands->end = &errand->next;
	return errand;
}

void
errands_remove_first(struct errands *errands)
{
	struct errand *errand = errands->first;

	errands->first = errand->next;
	if (errands->first == NULL)
		errands->end = &errands->first;
	free(errand->tenant_id);
	free(errand->result);
	free(errand);
}

void
errands_clear(struct errands *errands)
{
	while (errands->first != NULL)
		errands_remove_first(errands);
}
