/* Words fill in the path; options become members of the body or parameters of the query. */
#include "cli/api_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/mem.h"
#include "cli/api_client.h"
#include "config/units.h"

/* The largest document that the API accepts. */
#define FILE_MAX ((size_t)64 << 10)

struct reading {
	struct api_call *call;
	cJSON *body;
	const char *file; /* --file; NULL: not given */
	const char *rest; /* the rest of the path, from the first unfilled {...} */
	bool word_given;
};

static cJSON *
raw(const char *text)
{
	cJSON *item = cJSON_CreateRaw(text);

	if (item == NULL)
		mem_none(0);
	return item;
}

static bool
is_json(const char *text)
{
	cJSON *tree = cJSON_ParseWithOpts(text, NULL, true);

	cJSON_Delete(tree);
	return tree != NULL;
}

static bool
is_number(const char *text)
{
	size_t sign = text[0] == '-', digits = strspn(text + sign, "0123456789");

	return (digits > 0 && text[sign + digits] == '\0') || strcmp(text, "null") == 0;
}

/* Whether a header may contain the text. */
static bool
is_plain(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return text[0] != '\0';
}

static cJSON *
words_of(const char *text)
{
	cJSON *array = cJSON_CreateArray();

	while (*text != '\0') {
		size_t len = strcspn(text, ",");
		char *word = mem_printf("%.*s", (int)len, text);

		if (len > 0)
			cJSON_AddItemToArray(array, cJSON_CreateString(word));
		free(word);
		text += len + (text[len] == ',');
	}
	return array;
}

/* "Name: value" or Name=value. */
static int
add_header(cJSON *body, const struct api_option *option, const char *text, struct error *err)
{
	cJSON *headers = cJSON_GetObjectItemCaseSensitive(body, option->member);
	size_t len = strcspn(text, ":=");
	char *name;

	if (len == 0 || text[len] == '\0')
		return error_set(err, "--%s takes 'Name: value'", option->name);
	if (headers == NULL)
		headers = cJSON_AddObjectToObject(body, option->member);
	name = mem_printf("%.*s", (int)len, text);
	text += len + 1;
	cJSON_AddStringToObject(headers, name, text + strspn(text, " "));
	free(name);
	return 0;
}

static void
add_query(struct api_call *call, const char *name, const char *value)
{
	char *encoded = api_encode(value);
	char *longer = mem_printf("%s%s%s=%s", call->query, call->query[0] != '\0' ? "&" : "", name, encoded);

	free(call->query);
	free(encoded);
	call->query = longer;
}

static int
set_option(struct reading *reading, const struct api_option *option, const char *value, struct error *err)
{
	bool flag;
	cJSON *item = NULL;

	switch (option->kind) {
	case API_QUERY:
		add_query(reading->call, option->member, value);
		return 0;
	case API_IDEMPOTENCY:
		if (!is_plain(value))
			return error_set(err, "--%s takes printable characters", option->name);
		reading->call->idempotency_key = value;
		return 0;
	case API_HEADER:
		return add_header(reading->body, option, value, err);
	case API_TEXT:
		item = cJSON_CreateString(value);
		break;
	case API_WORDS:
		item = words_of(value);
		break;
	case API_NUMBER:
		if (!is_number(value))
			return error_set(err, "--%s takes a whole number, not '%.80s'", option->name, value);
		item = raw(value);
		break;
	case API_BOOL:
		if (!units_read_bool(value, &flag))
			return error_set(err, "--%s takes true or false, not '%.80s'", option->name, value);
		item = cJSON_CreateBool(flag);
		break;
	case API_JSON:
		if (!is_json(value))
			return error_set(err, "--%s takes JSON, and '%.80s' is none", option->name, value);
		item = raw(value);
		break;
	}
	cJSON_DeleteItemFromObjectCaseSensitive(reading->body, option->member);
	cJSON_AddItemToObject(reading->body, option->member, item);
	return 0;
}

/* Finds an option common to all commands. *value: where its value goes. */
static bool
find_common(struct reading *reading, const char *name, size_t len, const char ***value)
{
	struct api_call *call = reading->call;
	const struct {
		const char *name;
		const char **value;
	} common[] = {
	    {"hl-url", &call->url},
	    {"hl-api-key", &call->key},
	    {"hl-api-key-file", &call->key_file},
	    {"file", &reading->file},
	};

	for (size_t i = 0; i < sizeof common / sizeof *common; i++)
		if (strncmp(common[i].name, name, len) == 0 && common[i].name[len] == '\0') {
			*value = common[i].value;
			return true;
		}
	return false;
}

static const struct api_option *
find_option(const struct api_verb *verb, const char *name, size_t len)
{
	for (const struct api_option *option = verb->options; option != NULL && option->name != NULL; option++)
		if (strncmp(option->name, name, len) == 0 && option->name[len] == '\0')
			return option;
	return NULL;
}

static void
set_if_match(struct api_call *call, const char *version)
{
	free(call->if_match);
	call->if_match = version[0] == '"' || version[0] == '*' ? mem_strdup(version) : mem_printf("\"%s\"", version);
}

/* Reads the flag at argv[*next]. */
static int
read_flag(struct reading *reading, int argc, char **argv, int *next, struct error *err)
{
	const char *flag = argv[(*next)++], *name = flag + 2, *value = NULL, **common;
	size_t len = strcspn(name, "=");
	const struct api_option *option = find_option(reading->call->verb, name, len);
	bool ignored;

	if (strcmp(name, "json") == 0) {
		reading->call->json = true;
		return 0;
	}
	if (strcmp(name, "help") == 0) {
		reading->call->help = true;
		return 0;
	}
	if (name[len] == '=')
		value = name + len + 1;
	else if (option != NULL && option->kind == API_BOOL)
		value = *next < argc && units_read_bool(argv[*next], &ignored) ? argv[(*next)++] : "true";
	else if (*next < argc)
		value = argv[(*next)++];
	if (value == NULL)
		return error_set(err, "%s needs a value, as in %s=VALUE", flag, flag);
	if (option != NULL)
		return set_option(reading, option, value, err);
	if (find_common(reading, name, len, &common)) {
		*common = value;
		return 0;
	}
	if (strncmp(name, "if-match", len) == 0 && len == strlen("if-match")) {
		set_if_match(reading->call, value);
		return 0;
	}
	return error_set(err, "there is no option --%.*s; --help lists those that there are", (int)len, name);
}

/* Appends the path up to the next {...}, and the word in its place; word NULL: no more words. */
static bool
fill_path(struct reading *reading, const char *word)
{
	const char *brace = strchr(reading->rest, '{');
	size_t plain = brace != NULL ? (size_t)(brace - reading->rest) : strlen(reading->rest);
	char *encoded, *longer;

	if ((brace == NULL) != (word == NULL))
		return false;
	encoded = word != NULL ? api_encode(word) : mem_strdup("");
	longer = mem_printf("%s%.*s%s", reading->call->path, (int)plain, reading->rest, encoded);
	free(encoded);
	free(reading->call->path);
	reading->call->path = longer;
	reading->rest = brace != NULL ? strchr(brace, '}') + 1 : "";
	return true;
}

static int
read_word(struct reading *reading, const char *word, struct error *err)
{
	const struct api_verb *verb = reading->call->verb;

	if (fill_path(reading, word))
		return 0;
	if (verb->word == NULL || reading->word_given)
		return error_set(err, "'%.80s' is one word too many", word);
	reading->word_given = true;
	cJSON_AddStringToObject(reading->body, verb->word, word);
	return 0;
}

static int
read_file(const char *path, char **text, struct error *err)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	size_t len;

	if (in == NULL)
		return error_errno(err, "cannot open %s", path);
	*text = mem_new(FILE_MAX + 2, 1);
	len = fread(*text, 1, FILE_MAX + 1, in);
	int failed = ferror(in);
	if (in != stdin)
		fclose(in);
	if (failed == 0 && len <= FILE_MAX)
		return 0;
	free(*text);
	*text = NULL;
	return failed != 0 ? error_errno(err, "cannot read %s", path)
			   : error_set(err, "%s has more than %zu bytes", path, FILE_MAX);
}

/* Switches to path_of_many if there are options but no word. */
static void
turn_to_many(struct reading *reading)
{
	const struct api_verb *verb = reading->call->verb;
	bool any = reading->body->child != NULL || reading->file != NULL;

	if (verb->path_of_many != NULL && any && reading->rest == verb->path)
		reading->rest = verb->path_of_many;
}

/* Sets the body: the verb's own, that of --file, or one made of options. */
static int
finish_body(struct reading *reading, struct error *err)
{
	struct api_call *call = reading->call;
	bool any = reading->body->child != NULL;

	if (reading->file != NULL) {
		if (any)
			return error_set(err, "--file holds the whole document: leave the options out");
		return read_file(reading->file, &call->body, err);
	}
	if (call->verb->body != NULL) {
		call->body = mem_strdup(call->verb->body);
	} else if (strcmp(call->verb->method, "POST") == 0 || strcmp(call->verb->method, "PATCH") == 0) {
		char *text = cJSON_PrintUnformatted(reading->body);

		if (text == NULL)
			mem_none(0);
		call->body = mem_strdup(text);
		cJSON_free(text);
	}
	return 0;
}

static int
read_arguments(struct reading *reading, int argc, char **argv, struct error *err)
{
	bool flags = true;

	for (int next = 0; next < argc;) {
		int rc;

		if (flags && strcmp(argv[next], "--") == 0) {
			flags = false;
			next++;
			continue;
		}
		if (flags && strncmp(argv[next], "--", 2) == 0)
			rc = read_flag(reading, argc, argv, &next, err);
		else
			rc = read_word(reading, argv[next++], err);
		if (rc != 0)
			return rc;
	}
	if (reading->call->help)
		return 0;
	turn_to_many(reading);
	if (!fill_path(reading, NULL)) {
		const char *missing = strchr(reading->rest, '{');

		return error_set(err, "a word is missing: %.*s", (int)strcspn(missing + 1, "}"), missing + 1);
	}
	return finish_body(reading, err);
}

/* Reads the verb, the first word. A group with a single or a default verb needs none. */
static int
read_verb(struct api_call *call, int *argc, char ***argv, struct error *err)
{
	const struct api_verb *only =
	    call->group->first_verb || call->group->verbs[1].name == NULL ? call->group->verbs : NULL;
	const char *name = *argc > 0 ? (*argv)[0] : "--help";

	if (*argc == 0 && only != NULL && only->is_stream) {
		call->verb = only;
		return 0;
	}

	if (strncmp(name, "--", 2) == 0) {
		call->verb = only;
		call->help = strcmp(name, "--help") == 0;
		return only != NULL || call->help ? 0 : error_set(err, "a verb is missing: --help lists them");
	}
	call->verb = api_verb_find(call->group, name);
	if (call->verb == NULL && call->group->first_verb) {
		call->verb = only;
		return 0;
	}
	if (call->verb == NULL)
		return error_set(err, "there is no '%.80s' for %s", name, call->group->name);
	--*argc;
	++*argv;
	return 0;
}

int
api_call_read(struct api_call *call, const struct api_group *group, int argc, char **argv, struct error *err)
{
	struct reading reading = {.call = call};
	int rc;

	*call = (struct api_call){.group = group};
	if (read_verb(call, &argc, &argv, err) != 0)
		return -1;
	if (call->help)
		return 0;
	call->path = mem_strdup("");
	call->query = mem_strdup("");
	reading.rest = call->verb->path;
	reading.body = cJSON_CreateObject();
	if (reading.body == NULL)
		mem_none(0);
	rc = read_arguments(&reading, argc, argv, err);
	cJSON_Delete(reading.body);
	if (rc != 0)
		api_call_free(call);
	return rc;
}

void
api_call_free(struct api_call *call)
{
	free(call->path);
	free(call->query);
	free(call->body);
	free(call->if_match);
}
