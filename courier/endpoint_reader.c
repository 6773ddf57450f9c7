/* An endpoint whose row cannot be used holds its jobs; other endpoints go on. */
#include "courier/endpoint_reader.h"

#include "base/format.h"
#include "base/log.h"
#include "store/webhooks/endpoint_changes.h"
#include "store/webhooks/endpoints.h"

void
endpoint_reader_open(struct endpoint_reader *reader, const struct config *config)
{
	reader->config = config;
	secrets_open(&reader->secrets, config);
}

void
endpoint_reader_close(struct endpoint_reader *reader)
{
	secrets_close(&reader->secrets);
}

static void
log_unusable(const uint8_t endpoint_id[16], const struct error *why)
{
	char id[FORMAT_UUID_BYTES + 1] = "";

	format_uuid(endpoint_id, id);
	log_warning("an endpoint cannot be used as it is stored: its jobs wait", LOG_STR("endpoint_id", id),
	    LOG_STR("error", why->text));
}

int
endpoint_read(const struct endpoint_reader *reader, struct db *db, const char *tenant_id, const uint8_t endpoint_id[16],
    struct endpoint_config **endpoint, struct error *err)
{
	char id[FORMAT_UUID_BYTES + 1] = "";
	struct db_rows *rows;
	struct error why;
	bool exists;
	int rc = endpoint_tenant_exists(db, tenant_id, &exists, err);

	*endpoint = NULL;
	if (rc != 0 || !exists)
		return rc;
	format_uuid(endpoint_id, id);
	rc = endpoints_get(db, tenant_id, (struct span){id, FORMAT_UUID_BYTES}, false, &rows, err);
	if (rc == DB_REFUSED) {
		log_unusable(endpoint_id, err);
		return 0;
	}
	if (rc != 0)
		return rc;
	if (db_rows_count(rows) > 0) {
		const struct endpoint row = endpoint_of_row(rows, 0);

		*endpoint = endpoint_config_new(reader->config, &reader->secrets, tenant_id, &row, &why);
		if (why.text[0] != '\0')
			log_unusable(endpoint_id, &why);
	}
	db_rows_free(rows);
	return 0;
}
