/* The routes /v1/tenants except POST: show, change, delete and count tenants. Worker threads. */
#ifndef CONTROL_TENANTS_H
#define CONTROL_TENANTS_H

#include <cjson/cJSON.h>

#include "api/document.h"
#include "control/request.h"
#include "store/db_rows.h"

request_handler tenant_list;
request_handler tenant_get;
request_handler tenant_update;
request_handler tenant_delete;
request_handler tenant_stats;

/* Attempts of the tenant under way on this node. */
uint32_t tenant_in_flight(const struct segment *segment, struct span tenant_id);

/* The object for replies, from a row of tenants_get() or tenants_list(). Never NULL. */
cJSON *tenant_show(const struct db_rows *rows, uint32_t row);

/* The same without name and metadata, for the audit log, in which it outlives the tenant. Never NULL. */
cJSON *tenant_audited(const struct db_rows *rows, uint32_t row);

/*
 * Reads name and metadata over the present values; null sets the default, which for the name is the tenant's id. Texts
 * point into the document. false: document->error says what is wrong.
 */
bool tenant_document_read(struct document *document, struct span tenant_id, struct span *name, struct span *metadata);

#endif
