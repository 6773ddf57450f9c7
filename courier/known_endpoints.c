/* A table of the known endpoints, and a list of those to be read. */
#include "courier/known_endpoints.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void
remove_known(struct known_endpoints *known, struct known_endpoint *endpoint)
{
	id_table_remove(&known->table, &endpoint->link);
	known->with_fifo -= endpoint->fifo;
	free(endpoint->tenant_id);
	free(endpoint);
}

void
known_endpoints_free(struct known_endpoints *known)
{
	struct id_link **links = id_table_list(&known->table);

	for (uint32_t left = known->table.count; left > 0; left--)
		remove_known(known, (struct known_endpoint *)links[left - 1]);
	free(links);
	while (known->first != NULL)
		changed_endpoint_remove_first(known);
	id_table_free(&known->table);
}

struct known_endpoint *
known_endpoint_find(const struct known_endpoints *known, const uint8_t endpoint_id[16])
{
	return (struct known_endpoint *)id_table_find(&known->table, endpoint_id);
}

void
known_endpoint_add(struct known_endpoints *known, const char *tenant_id, const uint8_t endpoint_id[16])
{
	struct known_endpoint *endpoint = mem_new(1, sizeof *endpoint);

	memcpy(endpoint->link.id, endpoint_id, 16);
	endpoint->tenant_id = mem_strdup(tenant_id);
	id_table_add(&known->table, &endpoint->link);
}

void
known_endpoint_forget(struct known_endpoints *known, const uint8_t endpoint_id[16])
{
	struct known_endpoint *endpoint = known_endpoint_find(known, endpoint_id);

	if (endpoint != NULL)
		remove_known(known, endpoint);
}

bool
known_endpoint_has_other_limits(const struct known_endpoint *endpoint, const struct endpoint_config *config)
{
	return endpoint->exists && config != NULL &&
	       (endpoint->fifo != config->fifo || endpoint->exact_limits != config->exact_limits ||
		   endpoint->max_in_flight != config->max_in_flight);
}

void
known_endpoint_set(struct known_endpoints *known, struct known_endpoint *endpoint, const struct endpoint_config *config)
{
	known->with_fifo -= endpoint->fifo;
	endpoint->exists = config != NULL;
	endpoint->fifo = config != NULL && config->fifo;
	known->with_fifo += endpoint->fifo;
	if (config == NULL)
		return;
	endpoint->exact_limits = config->exact_limits;
	endpoint->max_in_flight = config->max_in_flight;
	endpoint->version = config->version;
	endpoint->holds = endpoint_holds(config);
	endpoint->lifetime_ms = endpoint_lifetime_ms(config);
}

void
changed_endpoint_add(struct known_endpoints *known, const char *tenant_id, const uint8_t endpoint_id[16])
{
	struct changed_endpoint *changed = mem_new(1, sizeof *changed);

	changed->tenant_id = mem_strdup(tenant_id);
	memcpy(changed->endpoint_id, endpoint_id, 16);
	if (known->first == NULL)
		known->first = changed;
	else
		known->last->next = changed;
	known->last = changed;
}

void
changed_endpoint_remove_first(struct known_endpoints *known)
{
	struct changed_endpoint *changed = known->first;

	known->first = changed->next;
	free(changed->tenant_id);
	free(changed);
}

void
known_endpoints_look(struct known_endpoints *known)
{
	known->looks++;
}

void
known_endpoints_compare(struct known_endpoints *known, const char *tenant_id, const uint8_t endpoint_id[16],
    int64_t version, bool recent) /* five: as in the header */
{
	struct known_endpoint *endpoint = known_endpoint_find(known, endpoint_id);

	if (endpoint != NULL)
		endpoint->seen = known->looks;
	if (recent || (endpoint != NULL && (!endpoint->exists || endpoint->version != version)))
		changed_endpoint_add(known, tenant_id, endpoint_id);
}

void
known_endpoints_end_look(struct known_endpoints *known, const char *tenant_id)
{
	struct id_link **links = id_table_list(&known->table);

	for (uint32_t i = 0; i < known->table.count; i++) {
		const struct known_endpoint *endpoint = (const struct known_endpoint *)links[i];

		if (endpoint->exists && endpoint->seen != known->looks && strcmp(endpoint->tenant_id, tenant_id) == 0)
			changed_endpoint_add(known, tenant_id, endpoint->link.id);
	}
	free(links);
}

static bool
page_has(const struct db_rows *page, const char *tenant_id)
{
	uint32_t from = 0, to = db_rows_count(page);

	while (from < to) {
		uint32_t middle = from + (to - from) / 2;
		int order = strcmp(db_rows_text(page, middle, 0).base, tenant_id);

		if (order == 0)
			return true;
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return false;
}

void
known_endpoints_find_orphans(struct known_endpoints *known, const char *after, const struct db_rows *page, bool ends)
{
	const char *last = ends ? NULL : db_rows_text(page, db_rows_count(page) - 1, 0).base;
	struct id_link **links = id_table_list(&known->table);

	for (uint32_t i = 0; i < known->table.count; i++) {
		const struct known_endpoint *endpoint = (const struct known_endpoint *)links[i];

		if (endpoint->exists && strcmp(endpoint->tenant_id, after) > 0 &&
		    (last == NULL || strcmp(endpoint->tenant_id, last) <= 0) && !page_has(page, endpoint->tenant_id))
			changed_endpoint_add(known, endpoint->tenant_id, endpoint->link.id);
	}
	free(links);
}
