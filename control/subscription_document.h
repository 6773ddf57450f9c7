/* A subscription as a client writes it; the same as control/endpoint_document.h for endpoints. Worker threads. */
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
	struct bytes extra, transform; /* buffers that the subscription borrows */
	char endpoint_id[OBJECT_ID_BYTES], transform_id[OBJECT_ID_BYTES];
	bool other_transform; /* the document has a transform: transform and transform_id are from it */
};

/*
 * Reads the body, which is borrowed. false: it is no JSON object, and document->error says why. The caller closes the
 * document in any case.
 */
bool subscription_document_open(struct subscription_document *document, struct span body);
void subscription_document_close(struct subscription_document *document);

/*
 * Applies the document to *subscription, which then borrows from it. making: a POST, which requires endpoint_id and
 * topic_pattern. Call it once per opened document. Does not check that the endpoint exists. false: document->error says
 * what is wrong.
 */
bool subscription_document_apply(
    struct subscription_document *document, const char *tenant_id, bool making, struct subscription *subscription);

/* The bytes of the subscription that a client wrote: limited to DOCUMENT_BYTES_MAX (control/members.h). */
size_t subscription_size(const struct subscription *subscription);

#endif
