/*
 * An endpoint as a client writes it: the body of a POST or PATCH, checked member by member, and applied to the present
 * endpoint or to the defaults. Worker threads.
 *
 * A missing member changes nothing; null sets the default. Read-only members are ignored, so that a client may send
 * back a reply; so are secret and header values of ***. Members that the API does not define are kept.
 */
#ifndef CONTROL_ENDPOINT_DOCUMENT_H
#define CONTROL_ENDPOINT_DOCUMENT_H

#include <stdbool.h>

#include "api/document.h"
#include "api/endpoint_secret.h"
#include "base/bytes.h"
#include "config/networks.h"
#include "api/secrets.h"
#include "store/webhooks/endpoints.h"

/* Replaces a secret or a header's value that is not shown. */
#define CREDENTIAL_SHOWN "***"

/* The code of an error that is not the document's: the stored headers cannot be read. */
#define ENDPOINT_CONFLICT "conflict"

struct endpoint_document {
	struct document_error error;
	struct document document;
	struct bytes extra, headers, secret; /* buffers that endpoint borrows; headers and secret as stored */
	char made_secret[ENDPOINT_SECRET_GENERATED_BYTES]; /* a generated secret, to be shown once; "": none */
};

/* The rules by which a document is read. Borrowed. */
struct endpoint_rules {
	const struct networks *allowed;
	bool dev_inbox; /* URLs of the service's own inbox are allowed */
	const char *public_url; /* NULL: none */
	const struct secrets *secrets;
	const char *tenant_id;
	bool making; /* a POST: url is required, a secret is generated */
};

/* An endpoint of defaults with that id, which is borrowed. */
struct endpoint endpoint_defaults(struct span id);

/*
 * Reads the body, which is borrowed. false: it is no JSON object, and document->error says why. The caller closes the
 * document in any case.
 */
bool endpoint_document_open(struct endpoint_document *document, struct span body);
void endpoint_document_close(struct endpoint_document *document);

/*
 * Applies the document to *endpoint, which then borrows from it; its secret and headers are as stored. Call it once per
 * opened document. false: document->error says what is wrong.
 */
bool endpoint_document_apply(
    struct endpoint_document *document, const struct endpoint_rules *rules, struct endpoint *endpoint);

/* The bytes of the endpoint that a client wrote: limited to DOCUMENT_BYTES_MAX (control/members.h). */
size_t endpoint_size(const struct endpoint *endpoint);

/*
 * Reads the member `secret` of any document. true: *plain is a valid secret; false: none is given, or document->error
 * says what is wrong. "" counts as none, and *** too if shown_is_none.
 */
bool endpoint_document_secret(struct document *document, bool shown_is_none, struct span *plain);

#endif
