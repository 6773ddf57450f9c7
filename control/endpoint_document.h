/*
 * What a client writes of an endpoint: the body of a POST or PATCH, checked member by member and laid over the endpoint
 * that is there, or over the defaults. Worker threads.
 *
 * A member that is not sent stays; null is its default. Members that a reply shows and a client cannot set are
 * ignored, so that a client may send back what it got; so are secret and header values of ***. Members that the API
 * does not define are kept.
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

/* What stands for a secret or a header's value that is not shown. */
#define CREDENTIAL_SHOWN "***"

/* The code of an error that is not the document's: what is stored cannot be read. */
#define ENDPOINT_CONFLICT "conflict"

struct endpoint_document {
	struct document_error error;
	struct document document;
	struct bytes extra, headers, secret; /* what endpoint borrows; headers and secret as they are stored */
	char made_secret[ENDPOINT_SECRET_GENERATED_BYTES]; /* to show once; "": none was made */
};

/* What a document is read with. Borrowed. */
struct endpoint_rules {
	const struct networks *allowed;
	bool dev_inbox; /* URLs of the service's own inbox are taken */
	const char *public_url; /* NULL: none */
	const struct secrets *secrets;
	const char *tenant_id;
	bool making; /* a POST: url is needed, a secret is made */
};

/* The defaults, with a new id, of which endpoint borrows id. */
struct endpoint endpoint_defaults(struct span id);

/*
 * Reads the body. false: it is no JSON object, document->error says why. In each case the caller closes the document,
 * which borrows the body.
 */
bool endpoint_document_open(struct endpoint_document *document, struct span body);
void endpoint_document_close(struct endpoint_document *document);

/*
 * Lays the document over *endpoint, which then borrows from it; its secret and headers are as stored. For one call: a
 * document is opened again for another. false: something is wrong, document->error says what.
 */
bool endpoint_document_apply(
    struct endpoint_document *document, const struct endpoint_rules *rules, struct endpoint *endpoint);

/* Bytes that a client wrote of the endpoint: at most DOCUMENT_BYTES_MAX (control/members.h) are kept. */
size_t endpoint_size(const struct endpoint *endpoint);

/*
 * Reads the member `secret` of any document: true and *plain, a secret that was checked; false: none is given, or it is
 * wrong, which is in document->error. "" and, where shown_is_none, *** are none.
 */
bool endpoint_document_secret(struct document *document, bool shown_is_none, struct span *plain);

#endif
