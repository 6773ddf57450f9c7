/*
 * What a client writes of a subscription: as control/endpoint_document.h has it for endpoints. Worker threads.
 */
#ifndef CONTROL_SUBSCRIPTION_DOCUMENT_H
#define CONTROL_SUBSCRIPTION_DOCUMENT_H

#include <stdbool.h>

#include "api/document.h"
#include "base/bytes.h"
#include "control/object_id.h"
#include "store/webhooks/subscriptions.h"

struct subscription_document {
	struct document_error error;
	struct document document;
	struct bytes extra, transform; /* what the subscription borrows */
	char endpoint_id[OBJECT_ID_BYTES], transform_id[OBJECT_ID_BYTES];
	bool other_transform; /* the document names one: transform and transform_id are its */
};

/*
 * Reads the body. false: it is no JSON object, document->error says why. In each case the caller closes the document,
 * which borrows the body.
 */
bool subscription_document_open(struct subscription_document *document, struct span body);
void subscription_document_close(struct subscription_document *document);

/*
 * Lays the document over *subscription, which then borrows from it; making: a POST, which needs endpoint_id and
 * topic_pattern. For one call. false: something is wrong, document->error says what. Whether the endpoint is there is
 * the caller's question.
 */
bool subscription_document_apply(
    struct subscription_document *document, const char *tenant_id, bool making, struct subscription *subscription);

/* Bytes that a client wrote of the subscription: at most DOCUMENT_BYTES_MAX (control/members.h) are kept. */
size_t subscription_size(const struct subscription *subscription);

#endif
