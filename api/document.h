/*
 * A client's JSON document: the members of an object or the elements of an array, as the client spelled them. So a
 * number with 19 digits in metadata keeps its spelling. Of members with the same name the last counts. The callers
 * (control/) read a document by the getters.
 *
 * struct document_error keeps the first error: a caller reads all members and then checks once. Texts with \u0000 or
 * half a surrogate pair are refused everywhere, because no store accepts them.
 */
#ifndef API_DOCUMENT_H
#define API_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/span.h"
#include "event/scan.h"

#define DOCUMENT_MEMBERS_MAX 1000 /* of one object or array */
#define DOCUMENT_DEPTH_MAX 64

struct document_error {
	const char *code; /* NULL: no error; "invalid_json" or "validation_error" */
	char detail[480]; /* a sentence that names the member and the place, never the value */
};

struct document_member {
	struct span name; /* without escapes; base NULL in an array */
	struct json value;
	struct span spelled; /* the decoded string, once a getter needed it */
	bool known; /* a getter read it, so it is not among the unknown members */
};

/* Made by document_open() or document_inner(), released by document_close(). All zero is an empty document. */
struct document {
	struct document_error *error; /* belongs to the outermost document's caller */
	char path[80]; /* prefix of members' names in details: "headers." */
	struct document_member *members;
	size_t count;
	char *texts; /* decoded strings */
	size_t texts_used, texts_max;
};

/*
 * Reads a request's body, which must outlive the document. An empty body is {}. False: it is no JSON ("invalid_json"
 * with byte, line and column, all counted from 1) or no object; the document is then empty and may be closed.
 */
bool document_open(struct document *document, struct span body, struct document_error *error);
void document_close(struct document *document);

/* Whether a member was sent. Marks it as known. */
enum document_presence { DOCUMENT_ABSENT, DOCUMENT_NULL, DOCUMENT_GIVEN };
enum document_presence document_presence(struct document *document, const char *name);

/*
 * The getters. True: *out is the member's value. False: the member is absent, null, or wrong, with the reason in
 * document->error; *out is unchanged. Each marks the member as known.
 */
struct document_lengths {
	size_t min, max; /* characters (code points) */
	bool lines; /* line breaks and tabs are allowed; other control characters (C0, DEL, C1) never are */
};

/* The decoded string, well-formed UTF-8. Valid as long as the document and the body. */
bool document_string(
    struct document *document, const char *name, const struct document_lengths *lengths, struct span *out);
bool document_bool(struct document *document, const char *name, bool *out);

/* A whole number; 10.0 is one, 1e1 is not. */
bool document_int(struct document *document, const char *name, int64_t min, int64_t max, int64_t *out);

/* The unchanged text of an object, or of any value but null; at most max bytes. */
bool document_object(struct document *document, const char *name, size_t max, struct span *out);
bool document_value(struct document *document, const char *name, size_t max, struct span *out);

/*
 * The members of an object or the elements of an array, as a separate document for the caller to close. name is a short
 * constant.
 */
bool document_inner_object(struct document *document, const char *name, struct document *inner);
bool document_inner_array(struct document *document, const char *name, struct document *inner);

/* As document_string(), of the member or element at index, 0..count - 1; null is refused. */
bool document_string_at(
    struct document *document, size_t index, const struct document_lengths *lengths, struct span *out);

/* As document_int(), of the member or element at index; null is refused. */
bool document_int_at(struct document *document, size_t index, int64_t min, int64_t max, int64_t *out);

/*
 * Appends the unknown members to out as a JSON object; nothing if there are none. kept is NULL or an earlier result of
 * this function, from the store: its members are kept unless the document has a member of that name. A null member of
 * the document removes that name.
 */
void document_unknown(const struct document *document, const struct span *kept, struct bytes *out);

/*
 * Records an error of that member (NULL: of the whole), unless there is an earlier one. The text must never contain the
 * client's words. Returns false.
 */
bool document_refuse(struct document *document, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
