/* Reads endpoints from their rows. For the store thread. */
#ifndef COURIER_ENDPOINT_READER_H
#define COURIER_ENDPOINT_READER_H

#include <stdint.h>

#include "api/secrets.h"
#include "base/error.h"
#include "config/config.h"
#include "courier/endpoint_config.h"
#include "store/db.h"

struct endpoint_reader {
	const struct config *config; /* with its secrets; borrowed */
	struct secrets secrets;
};

void endpoint_reader_open(struct endpoint_reader *reader, const struct config *config);
void endpoint_reader_close(struct endpoint_reader *reader);

/*
 * *endpoint: the caller's; NULL: there is no such endpoint, or it or its tenant is deleted, or the store refuses to
 * read its row. Logs a row that cannot be used. As db_query() without DB_REFUSED.
 */
int endpoint_read(const struct endpoint_reader *reader, struct db *db, const char *tenant_id,
    const uint8_t endpoint_id[16], struct endpoint_config **endpoint, struct error *err); /* six: of what, and what */

#endif
