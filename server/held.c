/* Keeps a sum, and a list of holders in the order of time. */
#include "server/held.h"

void
held_init(struct held *held)
{
	held->bytes = held->kept = 0;
	h2o_linklist_init_anchor(&held->holders);
}

void
held_set(struct held *held, struct holder *holder, size_t bytes)
{
	held->bytes += bytes;
	held->bytes -= holder->bytes;
	if (!h2o_linklist_is_linked(&holder->link)) {
		held->kept -= holder->bytes;
		h2o_linklist_insert(&held->holders, &holder->link); /* at the end */
	}
	holder->bytes = bytes;
	if (bytes == 0)
		held_keep(held, holder);
}

void
held_keep(struct held *held, struct holder *holder)
{
	if (!h2o_linklist_is_linked(&holder->link))
		return;
	h2o_linklist_unlink(&holder->link);
	held->kept += holder->bytes;
}

struct holder *
held_oldest(struct held *held)
{
	return h2o_linklist_is_empty(&held->holders) ? NULL
						     : H2O_STRUCT_FROM_MEMBER(struct holder, link, held->holders.next);
}
