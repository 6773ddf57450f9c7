/* The commands of hooksctl that speak to the API, as tables: groups, their verbs, and the options of these. */
#ifndef CLI_API_VERBS_H
#define CLI_API_VERBS_H

#include <stdbool.h>
#include <stddef.h>

enum api_option_kind {
	API_TEXT, /* a JSON string */
	API_NUMBER, /* a whole number; null: the default again */
	API_BOOL, /* true or false; alone it is true */
	API_JSON, /* any JSON */
	API_WORDS, /* a list with commas between: an array of strings */
	API_HEADER, /* "Name: value" or Name=value, once for each: an object */
	API_QUERY, /* a parameter of the query */
	API_IDEMPOTENCY, /* the header Idempotency-Key */
};

struct api_option {
	const char *name; /* "timeout-ms", for --timeout-ms */
	enum api_option_kind kind;
	const char *member; /* of the body, or the parameter's name; of a header NULL */
	const char *help;
};

struct api_verb {
	const char *name, *second_name; /* "add", "create"; the second may be NULL */
	const char *method;
	const char *path; /* "/v1/endpoints/{id}": each {...} is a word of the command */
	const struct api_option *options; /* ends with a NULL name; NULL: none */
	const char *word; /* the member of the body that a word more sets: "url" of endpoints add URL; NULL: none */
	bool is_list;
	const char *body; /* what is sent when there are no options, as by enable; NULL: nothing */
	const char *help;
	const char *path_of_many; /* instead of path, for options without the word; NULL: the word must be there */
	bool slow; /* the reply comes within minutes */
	bool is_stream; /* the reply does not end: cli/api_stream.h */
};

struct api_group {
	const char *name, *second_name; /* "subs", "subscriptions"; the second may be NULL */
	const char *help;
	const struct api_verb *verbs; /* ends with a NULL name */
	const char *const *columns; /* members that a list shows, NULL-terminated */
	bool admin; /* HL_ADMIN_KEY is taken before HL_API_KEY */
	bool first_verb; /* is meant where no word is a verb: `replay EVENT_ID` */
};

extern const struct api_group api_groups[];
extern const size_t api_group_count;

/* The group or verb with that name, or NULL. */
const struct api_group *api_group_find(const char *name);
const struct api_verb *api_verb_find(const struct api_group *group, const char *name);

#endif
