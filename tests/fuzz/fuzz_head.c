/*
 * Arbitrary bytes through head_read(), as the beginning of a request. For every input:
 *
 *   - the result does not depend on the pieces in which the bytes come;
 *   - libh2o's parser accepts a head that passes, with the same length, so that libh2o never has to refuse one;
 *   - a refusal has a status and a message that needs no escapes in JSON.
 *
 * The first byte of an input is the size of the pieces.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/head.h"
#include "tests/fuzz/target.h"

/* libh2o exports these, but has no header for them. */
struct phr_header {
	const char *name;
	size_t name_len;
	const char *value;
	size_t value_len;
};
int phr_parse_request(const char *bytes, size_t len, const char **method, size_t *method_len, const char **path,
    size_t *path_len, int *minor_version, struct phr_header *headers, size_t *num_headers, size_t last_len);

static int
parsed_by_libh2o(const char *bytes, size_t len)
{
	struct phr_header headers[HEAD_FIELDS_MAX];
	size_t count = HEAD_FIELDS_MAX, method_len, path_len;
	const char *method, *path;
	int minor_version;

	return phr_parse_request(
	    bytes, len, &method, &method_len, &path, &path_len, &minor_version, headers, &count, 0);
}

/* Reads from memory that ends with the bytes that have come. */
static int
read_in_pieces(const char *bytes, size_t len, size_t piece, struct head *head)
{
	int state = HEAD_PARTIAL;

	*head = (struct head){0};
	for (size_t come = 0; state == HEAD_PARTIAL && come < len;) {
		char *copy;

		come = piece < len - come ? come + piece : len;
		copy = malloc(come);
		assert(copy != NULL);
		memcpy(copy, bytes, come);
		state = head_read(head, copy, come);
		free(copy);
	}
	return state;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct head head, other;
	const char *bytes;
	int state;

	if (size < 2)
		return 0;
	bytes = (const char *)data + 1;
	state = read_in_pieces(bytes, size - 1, size, &head);
	assert(read_in_pieces(bytes, size - 1, (size_t)data[0] + 1, &other) == state);
	if (state == HEAD_WHOLE) {
		assert(other.line == head.line);
		assert(parsed_by_libh2o(bytes, head.line) == (int)head.line);
	} else if (state == HEAD_REFUSED) {
		assert(other.status == head.status && other.why == head.why);
		assert(head.status >= 400 && head.status < 500 && strpbrk(head.why, "\"\\\n") == NULL);
	}
	return 0;
}
