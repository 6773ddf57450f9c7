/* Members common to several documents. */
#include "control/members.h"

#define NAME_CHARS_MAX 255
#define DESCRIPTION_CHARS_MAX 4096

void
member_bool(struct document *document, const char *name, bool initial, bool *value)
{
	if (document_presence(document, name) == DOCUMENT_NULL)
		*value = initial;
	else
		(void)document_bool(document, name, value);
}

static void
read_text(struct document *document, const char *name, const struct document_lengths *lengths, struct span *value)
{
	if (document_presence(document, name) == DOCUMENT_NULL)
		*value = (struct span){NULL, 0};
	else
		(void)document_string(document, name, lengths, value);
}

void
member_name(struct document *document, struct span *value)
{
	read_text(document, "name", &(struct document_lengths){0, NAME_CHARS_MAX, false}, value);
}

void
member_description(struct document *document, struct span *value)
{
	read_text(document, "description", &(struct document_lengths){0, DESCRIPTION_CHARS_MAX, true}, value);
}

void
member_metadata(struct document *document, struct span *value)
{
	if (document_presence(document, "metadata") == DOCUMENT_NULL)
		*value = (struct span){NULL, 0};
	else
		(void)document_object(document, "metadata", DOCUMENT_BYTES_MAX, value);
}

void
members_unknown(const struct document *document, struct span *extra, struct bytes *out)
{
	document_unknown(document, extra->base != NULL ? extra : NULL, out);
	*extra = out->len > 0 ? (struct span){out->base, out->len} : (struct span){NULL, 0};
}

void
members_ignore(struct document *document, const char *const names[])
{
	for (size_t i = 0; names[i] != NULL; i++)
		(void)document_presence(document, names[i]);
}
