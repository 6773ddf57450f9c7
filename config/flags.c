/* Flags of options (--name=value, --name value, bool flags also --name), and flags that request something else. */
#include "config/flags.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/config.h"
#include "config/nearest.h"
#include "config/options.h"
#include "config/units.h"

static const struct {
	const char *name;
	int request;
} request_flags[] = {
    {"--help", CONFIG_HELP},
    {"-h", CONFIG_HELP},
    {"--version", CONFIG_VERSION},
    {"-V", CONFIG_VERSION},
    {"--check-config", CONFIG_CHECK},
    {"--print-config", CONFIG_PRINT},
};

#define REQUEST_FLAGS (sizeof request_flags / sizeof request_flags[0])

static void
keep_nearer(const char *name, const char *given, size_t len, size_t *least, char nearest[OPTION_FLAG_MAX])
{
	size_t edits = nearest_distance(name, given, len);

	if (edits >= *least)
		return;
	*least = edits;
	memcpy(nearest, name, strlen(name) + 1);
}

static int
unknown_flag(const char *given, size_t len, struct error *err)
{
	char nearest[OPTION_FLAG_MAX];
	size_t least = len / 2; /* a greater distance is no misspelling */

	if (len > NEAREST_NAME_MAX)
		return error_set(err, "%.*s...: no such flag (--help=all lists all)", NEAREST_NAME_MAX, given);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char name[OPTION_FLAG_MAX];

		option_flag(&option_table[i], name);
		keep_nearer(name, given, len, &least, nearest);
	}
	for (size_t i = 0; i < REQUEST_FLAGS; i++)
		keep_nearer(request_flags[i].name, given, len, &least, nearest);
	if (least == len / 2)
		return error_set(err, "%.*s: no such flag (--help=all lists all)", (int)len, given);
	return error_set(err, "%.*s: no such flag; did you mean %s? (--help=all lists all)", (int)len, given, nearest);
}

static int
read_help_topic(char *topic, struct flag *flag, struct error *err)
{
	char words[128];
	size_t used = 0;

	*flag = (struct flag){.request = CONFIG_HELP, .value = topic};
	if (strcasecmp(topic, "all") == 0 || option_section_find(topic) != SECTION_COUNT)
		return 0;
	for (enum option_section i = 0; i < SECTION_COUNT && used < sizeof words; i++)
		used += (size_t)snprintf(words + used, sizeof words - used, ", %s", option_section_word(i));
	return error_set(err, "--help=%.*s: no such topic; the topics are all%s", NEAREST_NAME_MAX, topic, words);
}

int
flag_read(int argc, char **argv, int *next, struct flag *flag, struct error *err)
{
	char *arg = argv[(*next)++];
	size_t len = strcspn(arg, "=");
	bool ignored;

	*flag = (struct flag){0};
	for (size_t i = 0; i < REQUEST_FLAGS; i++) {
		if (strcmp(arg, request_flags[i].name) == 0) {
			flag->request = request_flags[i].request;
			return 0;
		}
	}
	if (strncmp(arg, "--help=", strlen("--help=")) == 0)
		return read_help_topic(arg + len + 1, flag, err);
	if (arg[0] != '-') /* perhaps a URL without its flag: hide the password */
		return error_set(err, "%.*s: not a flag; options are given like --port=8080 (--help=all lists all)",
		    (int)strcspn(arg, ":=@"), arg);
	if (len < 3 || strncmp(arg, "--", 2) != 0 || (flag->option = option_find(arg + 2, len - 2)) == NULL)
		return unknown_flag(arg, len, err);

	if (arg[len] == '=') {
		flag->value = arg + len + 1;
	} else if (flag->option->type == TYPE_BOOL) {
		if (*next < argc && units_read_bool(argv[*next], &ignored))
			flag->value = argv[(*next)++];
	} else if (*next < argc) {
		flag->value = argv[(*next)++];
	} else {
		return error_set(err, "%s: needs a value, as in %s=VALUE", arg, arg);
	}
	return 0;
}
