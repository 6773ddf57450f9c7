/* Writes and reads outcomes. A lane may have survived its writer, and a crash of the machine. */
#include "courier/outcome.h"

#include <assert.h>
#include <string.h>

#include "base/crc32c.h"
#include "config/text_rules.h"

enum text { TENANT_ID, REASON, PEER, ERROR, CERTIFICATE_ERROR, RESPONSE, TEXTS };

static const size_t longest[TEXTS] = {
    [TENANT_ID] = TENANT_ID_MAX,
    [REASON] = VERDICT_REASON_MAX,
    [PEER] = ATTEMPT_PEER_MAX,
    [ERROR] = ATTEMPT_ERROR_MAX,
    [CERTIFICATE_ERROR] = ATTEMPT_ERROR_MAX,
    [RESPONSE] = ATTEMPT_RESPONSE_MAX,
};

struct head {
	uint32_t length; /* of the whole parcel */
	uint32_t crc32c; /* of everything behind this member */
	uint8_t endpoint_id[16], job_id[16], event_id[16], attempt_id[16];
	int64_t expires_ms, due_ms, started_us, breaker_version;
	uint32_t attempt_count;
	int32_t http_status, duration_ms, dns_ms, connect_ms, tls_ms, first_byte_ms;
	uint8_t kind, end, charged, disables;
	uint16_t texts[TEXTS]; /* lengths; the texts follow the head in this order */
	uint8_t of_notice;
	uint8_t zeros[3];
};

#define CHECKED offsetof(struct head, endpoint_id)

_Static_assert(sizeof(struct head) == 152, "no byte of it is padding: all are checked");
_Static_assert(sizeof(struct head) + TENANT_ID_MAX + VERDICT_REASON_MAX + ATTEMPT_PEER_MAX + 2 * ATTEMPT_ERROR_MAX +
		       ATTEMPT_RESPONSE_MAX <=
		   OUTCOME_BYTES_MAX,
    "the longest texts fit");

static size_t
rounded(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

size_t
outcome_write(void *base, const struct outcome *outcome)
{
	const struct span texts[TEXTS] = {outcome->job.tenant_id, outcome->reason, outcome->peer, outcome->error,
	    outcome->certificate_error, outcome->response};
	struct head head = {
	    .expires_ms = outcome->job.expires_ms,
	    .due_ms = outcome->due_ms,
	    .started_us = outcome->started_us,
	    .breaker_version = outcome->breaker_version,
	    .attempt_count = outcome->job.attempt_count,
	    .http_status = outcome->http_status,
	    .duration_ms = outcome->duration_ms,
	    .dns_ms = outcome->dns_ms,
	    .connect_ms = outcome->connect_ms,
	    .tls_ms = outcome->tls_ms,
	    .first_byte_ms = outcome->first_byte_ms,
	    .kind = (uint8_t)outcome->kind,
	    .end = (uint8_t)outcome->end,
	    .charged = outcome->charged,
	    .disables = outcome->disables,
	    .of_notice = outcome->of_notice,
	};
	char *bytes = base;
	size_t at = sizeof head;

	assert(texts[TENANT_ID].len > 0);
	for (int i = 0; i < TEXTS; i++) {
		assert(texts[i].len <= longest[i]);
		head.texts[i] = (uint16_t)texts[i].len;
		if (texts[i].len > 0)
			memcpy(bytes + at, texts[i].base, texts[i].len);
		at += texts[i].len;
	}
	memset(bytes + at, 0, rounded(at) - at);
	head.length = (uint32_t)rounded(at);
	memcpy(head.endpoint_id, outcome->job.endpoint_id, 16);
	memcpy(head.job_id, outcome->job.job_id, 16);
	memcpy(head.event_id, outcome->job.event_id, 16);
	memcpy(head.attempt_id, outcome->attempt_id, 16);
	memcpy(bytes, &head, sizeof head);
	head.crc32c = crc32c(bytes + CHECKED, head.length - CHECKED);
	memcpy(bytes, &head, sizeof head);
	return head.length;
}

/* Whether its numbers are in range and agree with each other. */
static bool
plausible(const struct head *head)
{
	size_t bytes = sizeof *head;

	for (int i = 0; i < TEXTS; i++) {
		if (head->texts[i] > longest[i])
			return false;
		bytes += head->texts[i];
	}
	return head->texts[TENANT_ID] > 0 && head->length == rounded(bytes) && head->kind <= VERDICT_DEAD &&
	       head->end <= ATTEMPT_UNRESOLVED && head->charged <= 1 && head->disables <= 1 && head->of_notice <= 1;
}

bool
outcome_read(const void *bytes, size_t length, struct outcome *outcome)
{
	struct head head;
	struct span texts[TEXTS];
	const char *at = (const char *)bytes + sizeof head;

	if (length < sizeof head)
		return false;
	memcpy(&head, bytes, sizeof head);
	if (head.length != length || !plausible(&head) ||
	    crc32c((const char *)bytes + CHECKED, length - CHECKED) != head.crc32c)
		return false;
	for (int i = 0; i < TEXTS; i++) {
		texts[i] = (struct span){head.texts[i] > 0 ? at : NULL, head.texts[i]};
		at += head.texts[i];
	}
	*outcome = (struct outcome){
	    .job = {.tenant_id = texts[TENANT_ID], .attempt_count = head.attempt_count, .expires_ms = head.expires_ms},
	    .kind = (enum verdict_kind)head.kind,
	    .charged = head.charged,
	    .disables = head.disables,
	    .of_notice = head.of_notice,
	    .breaker_version = head.breaker_version,
	    .due_ms = head.due_ms,
	    .reason = texts[REASON],
	    .end = (enum attempt_end)head.end,
	    .http_status = head.http_status,
	    .started_us = head.started_us,
	    .duration_ms = head.duration_ms,
	    .dns_ms = head.dns_ms,
	    .connect_ms = head.connect_ms,
	    .tls_ms = head.tls_ms,
	    .first_byte_ms = head.first_byte_ms,
	    .peer = texts[PEER],
	    .error = texts[ERROR],
	    .certificate_error = texts[CERTIFICATE_ERROR],
	    .response = texts[RESPONSE],
	};
	memcpy(outcome->job.endpoint_id, head.endpoint_id, 16);
	memcpy(outcome->job.job_id, head.job_id, 16);
	memcpy(outcome->job.event_id, head.event_id, 16);
	memcpy(outcome->attempt_id, head.attempt_id, 16);
	return true;
}
