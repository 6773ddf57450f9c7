/* The commands of hooksctl that speak to the API, as tables: groups, their verbs, and the options of these. */
#ifndef CLI_API_VERBS_H
#define CLI_API_VERBS_H

#include <stdbool.h>
#include <stddef.h>

enum api_option_kind {
	API_TEXT, /* a JSON string */
	API_NUMBER, /* an integer; null: reset to the default */
	API_BOOL, /* true or false; without a value true */
	API_JSON, /* any JSON */
	API_WORDS, /* a comma-separated list: an array of strings */
	API_HEADER, /* "Name: value" or Name=value, repeatable: an object */
	API_QUERY, /* a parameter of the query */
	API_IDEMPOTENCY, /* the header Idempotency-Key */
};

struct api_option {
	const char *name; /* "timeout-ms", for --timeout-ms */
	enum api_option_kind kind;
	const char *member; /* the body's member, or the parameter's name; NULL: a header */
	const char *help;
};

struct api_verb {
	const char *name, *second_name; /* "add", "create"; the second may be NULL */
	const char *method;
	const char *path; /* "/v1/endpoints/{id}": a word of the command fills each {...} */
	const struct api_option *options; /* ends with a NULL name; NULL: none */
	const char *word; /* the body's member set by one more word: "url" of endpoints add URL; NULL: none */
	bool is_list;
	const char *body; /* sent if there are no options, as by enable; NULL: nothing */
	const char *help;
	const char *path_of_many; /* replaces path if there are options but no word; NULL: the word is required */
	bool slow; /* the reply may take minutes */
	bool is_stream; /* the reply does not end: cli/api_stream.h */
};

struct api_group {
	const char *name, *second_name; /* "subs", "subscriptions"; the second may be NULL */
	const char *help;
	const struct api_verb *verbs; /* ends with a NULL name */
	const char *const *columns; /* the members shown in a list, NULL-terminated */
	bool admin; /* prefers HL_ADMIN_KEY to HL_API_KEY */
	bool first_verb; /* the first verb is the default: `replay EVENT_ID` */
};

extern const struct api_group api_groups[];
extern const size_t api_group_count;

/* The group or verb with that name, or NULL. */
const struct api_group *api_group_find(const char *name);
const struct api_verb *api_verb_find(const struct api_group *group, const char *name);

#endif
