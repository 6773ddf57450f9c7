/*
 * Arbitrary bytes as the body of a request to the management API. For every input:
 *
 *   - a refused body has a reason and no members; of an accepted one every getter reads only its bytes;
 *   - the unknown members are written as one JSON object, which is read back as the same members, and does not grow
 * when the same document changes it once more.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/document.h"
#include "base/utf8.h"
#include "tests/fuzz/target.h"

static void
must_be_utf8(struct span text)
{
	for (size_t i = 0, len; i < text.len; i += len) {
		len = utf8_length(text.base + i, text.len - i);
		assert(len > 0 && text.base[i] != '\0');
	}
}

static void
read_elements(struct document *document)
{
	static const struct document_lengths any = {0, 1000, true};
	struct span text;
	int64_t number;

	for (size_t i = 0; i < document->count; i++) {
		if (document_string_at(document, i, &any, &text))
			must_be_utf8(text);
		if (document_int_at(document, i, -9, 9, &number))
			assert(number >= -9 && number <= 9);
	}
	document_close(document);
}

static void
read_member(struct document *document, const char *name)
{
	struct document inner;
	struct span text;
	bool flag;

	(void)document_bool(document, name, &flag);
	if (document_object(document, name, 100, &text))
		assert(text.len <= 100 && text.base[0] == '{' && text.base[text.len - 1] == '}');
	if (document_inner_object(document, name, &inner))
		read_elements(&inner);
	if (document_inner_array(document, name, &inner))
		read_elements(&inner);
}

static void
check_unknown(const struct document *document)
{
	struct bytes out = {0}, again = {0};
	struct document_error error = {0};
	struct document back;
	struct span kept;

	document_unknown(document, NULL, &out);
	kept = (struct span){out.base, out.len};
	assert(document_open(&back, kept, &error) && error.code == NULL && back.count <= document->count);
	document_unknown(document, &kept, &again);
	assert(again.len == out.len);
	bytes_free(&again);
	document_unknown(&back, NULL, &again);
	assert(again.len == out.len && (out.len == 0 || memcmp(out.base, again.base, out.len) == 0));
	bytes_free(&again);
	document_close(&back);
	bytes_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct document_error error = {0};
	struct document document;
	char *body = malloc(size > 0 ? size : 1);

	assert(body != NULL);
	memcpy(body, data, size);
	if (document_open(&document, (struct span){body, size}, &error)) {
		assert(error.code == NULL);
		check_unknown(&document);
		for (const char *const *name = (const char *const[]){"a", "name", "", NULL}; *name != NULL; name++)
			read_member(&document, *name);
		read_elements(&document);
	} else {
		assert(error.code != NULL && error.detail[0] != '\0' && document.count == 0);
		must_be_utf8((struct span){error.detail, strlen(error.detail)});
		document_close(&document);
	}
	free(body);
	return 0;
}
