/*
 * A JSON document that a client sent: the members of an object, or the elements of an array, by name and as the text
 * that was sent. So a number with 19 digits inside metadata keeps its spelling. Of members with the same name the last
 * counts. Nothing here knows what a document is about; the callers (control/) read it by the getters.
 *
 * The first thing that is wrong stays in struct document_error: a caller reads all that it wants and looks there once.
 * Texts with \u0000 or half a surrogate pair are refused, wherever they stand: no store takes them.
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
	const char *code; /* NULL: nothing is wrong; "invalid_json" or "validation_error" */
	char detail[480]; /* a sentence that names the member and the place, never the value */
};

struct document_member {
	struct span name; /* without escapes; base NULL in an array */
	struct json value;
	struct span spelled; /* what a string spells, once it was asked for */
	bool known; /* a getter asked for it: it does not belong to the unknown members */
};

/* Made by document_open() or document_inner(), released by document_close(). All zero is an empty document. */
struct document {
	struct document_error *error; /* of the outermost document's caller */
	char path[80]; /* what stands before a member's name in details: "headers." */
	struct document_member *members;
	size_t count;
	char *texts; /* where strings with escapes are spelled out */
	size_t texts_used, texts_max;
};

/*
 * Reads a request's body, which must outlive the document; an empty one is {}. false when it is no JSON ("invalid_json"
 * with byte, line and column, all counted from 1) or no object; the document is empty then, and may be closed.
 */
bool document_open(struct document *document, struct span body, struct document_error *error);
void document_close(struct document *document);

/* Whether a member was sent. It is no unknown member any more. */
enum document_presence { DOCUMENT_ABSENT, DOCUMENT_NULL, DOCUMENT_GIVEN };
enum document_presence document_presence(struct document *document, const char *name);

/*
 * The getters. true: *out holds what was sent. false: the member is absent, null, or wrong, which is then in
 * document->error; *out is what it was. Each takes the member from the unknown ones.
 */
struct document_lengths {
	size_t min, max; /* characters (code points) */
	bool lines; /* line breaks and tabs are allowed; other control characters (C0, DEL, C1) never are */
};

/* The string's characters, without escapes, well-formed UTF-8. They live as long as the document and the body. */
bool document_string(
    struct document *document, const char *name, const struct document_lengths *lengths, struct span *out);
bool document_bool(struct document *document, const char *name, bool *out);

/* A whole number; 10.0 is one, 1e1 is not. */
bool document_int(struct document *document, const char *name, int64_t min, int64_t max, int64_t *out);

/* The text of an object, of an array, or of any value but null, as it was sent, of at most max bytes. */
bool document_object(struct document *document, const char *name, size_t max, struct span *out);
bool document_value(struct document *document, const char *name, size_t max, struct span *out);

/*
 * The members of an object, or the elements of an array, as a document of its own, which the caller closes. The name is
 * the program's, and short.
 */
bool document_inner_object(struct document *document, const char *name, struct document *inner);
bool document_inner_array(struct document *document, const char *name, struct document *inner);

/* As document_string(), of the member or element at index, 0..count - 1; null is refused. */
bool document_string_at(
    struct document *document, size_t index, const struct document_lengths *lengths, struct span *out);

/* As document_int(), of the member or element at index; null is refused. */
bool document_int_at(struct document *document, size_t index, int64_t min, int64_t max, int64_t *out);

/*
 * Writes the members that no getter asked for, as a JSON object, to the end of out; nothing when there are none. kept
 * is NULL, or the text that this function wrote earlier (a stored object): its members stay unless the document has one
 * of that name; a member that is null in the document is left out.
 */
void document_unknown(const struct document *document, const struct span *kept, struct bytes *out);

/*
 * Says what is wrong with that member (NULL: with the whole), unless something was wrong before. The words come from
 * the program, never from the client. Returns false.
 */
bool document_refuse(struct document *document, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
