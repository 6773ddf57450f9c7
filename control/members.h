/*
 * Members common to documents of the management API, applied to the present values: a missing member changes nothing,
 * null sets the default. Errors are in document->error (api/document.h). Any thread.
 */
#ifndef CONTROL_MEMBERS_H
#define CONTROL_MEMBERS_H

#include <stdbool.h>

#include "api/document.h"
#include "base/bytes.h"
#include "base/span.h"

/* The longest document that is stored, all members together. */
#define DOCUMENT_BYTES_MAX (64 * 1024)

void member_bool(struct document *document, const char *name, bool initial, bool *value);

/* `name` and `description`: null is their default. */
void member_name(struct document *document, struct span *value);
void member_description(struct document *document, struct span *value);

/* `metadata`: an object, kept as sent; null is its default. */
void member_metadata(struct document *document, struct span *value);

/*
 * Merges the members that no function has read into *extra, as a JSON object that *extra then borrows from out; base
 * NULL: none. Call it last.
 */
void members_unknown(const struct document *document, struct span *extra, struct bytes *out);

/* Keeps read-only members out of the unknown ones. names ends with a NULL. */
void members_ignore(struct document *document, const char *const names[]);

#endif
