/* Shows endpoints. */
#include "control/endpoint_reply.h"

#include <stdio.h>
#include <string.h>

#include "api/document.h"
#include "api/endpoint_headers.h"
#include "control/endpoint_document.h"
#include "api/secrets.h"
#include "control/tree.h"

static struct span
text(const char *literal)
{
	return (struct span){literal, strlen(literal)};
}

/* Shows the names of the headers. NULL: they cannot be read. */
static cJSON *
show_headers(const struct request *request, const struct endpoint *endpoint)
{
	const struct secret_place place = {text(request->caller.tenant_id), endpoint->id, SECRET_HEADERS};
	struct document_error ignored = {0};
	struct document headers;
	struct bytes plain = {0};
	struct error err;
	cJSON *tree;

	if (secret_read(request->context->secrets, &place, endpoint->headers, &plain, &err) < 0)
		return NULL;
	tree = tree_new();
	(void)document_open(&headers, (struct span){plain.base, plain.len}, &ignored);
	for (size_t i = 0; i < headers.count; i++) {
		char name[ENDPOINT_HEADER_BYTES_MAX + 1];

		(void)snprintf(
		    name, sizeof name, "%.*s", (int)headers.members[i].name.len, headers.members[i].name.base);
		tree_add_text(tree, name, text(CREDENTIAL_SHOWN));
	}
	document_close(&headers);
	secret_wipe(&plain);
	return tree;
}

cJSON *
endpoint_show(const struct request *request, const struct endpoint *endpoint)
{
	cJSON *tree = tree_new(), *headers = show_headers(request, endpoint);

	tree_add_text(tree, "id", endpoint->id);
	tree_add_text(tree, "endpoint_id", endpoint->id);
	tree_add_text(tree, "tenant_id", text(request->caller.tenant_id));
	tree_add_int(tree, "version", endpoint->version);
	tree_add_text(tree, "url", endpoint->url);
	tree_add_text(tree, "secret", text(CREDENTIAL_SHOWN));
	tree_add_int_or_null(tree, "old_secret_until", endpoint->old_secret_until);
	tree_add(tree, "headers", headers != NULL ? headers : cJSON_CreateNull());
	tree_add_text(tree, "name", endpoint->name);
	tree_add_text(tree, "description", endpoint->description);
	tree_add_json(tree, "metadata", endpoint->metadata, "{}");
#define ENDPOINT_BOOL(name, ...) tree_add_bool(tree, #name, endpoint->name);
#define ENDPOINT_INT(name, ...) tree_add_int(tree, #name, endpoint->name);
#define ENDPOINT_CHOICE(name, ...) tree_add_text(tree, #name, endpoint->name);
#include "store/webhooks/endpoint_fields.def"
	tree_add_json(tree, "retry_schedule", endpoint->retry_schedule, "null");
	tree_add_int_or_null(tree, "max_attempts", endpoint->max_attempts);
	if (endpoint->max_attempts > 0)
		tree_add_int(tree, "max_retries", endpoint->max_attempts - 1);
	else
		tree_add(tree, "max_retries", cJSON_CreateNull());
	tree_add_text(tree, "state", endpoint->state);
	tree_add_text(tree, "disabled_reason", endpoint->disabled_reason);
	tree_add_int_or_null(tree, "failing_since", endpoint->failing_since);
	tree_add_text(tree, "breaker", endpoint->breaker);
	tree_add_int_or_null(tree, "last_success_at", endpoint->last_success_at);
	tree_add_int(tree, "created_at", endpoint->created_at);
	tree_add_int(tree, "updated_at", endpoint->updated_at);
	tree_add_members(tree, endpoint->extra);
	return tree;
}
