/* main() has left only the command's own flags. */
#include "cli/command_words.h"

#include <string.h>

int
command_words_count(char *const *words)
{
	int count = 0;

	while (words[count] != NULL && words[count][0] != '-')
		count++;
	return count;
}

bool
command_has_flag(char *const *words, const char *name)
{
	for (; *words != NULL; words++)
		if (strcmp(*words, name) == 0)
			return true;
	return false;
}

int
command_flag(char *const *words, const char *name, const char **value, struct error *err)
{
	size_t len = strlen(name);

	*value = NULL;
	for (; *words != NULL; words++) {
		if (strncmp(*words, name, len) != 0 || ((*words)[len] != '\0' && (*words)[len] != '='))
			continue;
		if (*value != NULL)
			return error_set(err, "%s is given more than once", name);
		*value = (*words)[len] == '=' ? *words + len + 1 : words[1];
		if (*value == NULL || **value == '\0')
			return error_set(err, "%s needs a value, as in %s=VALUE", name, name);
	}
	return 0;
}

int
command_is_database(const char *name, bool *database, struct error *err)
{
	const char *rest = strstr(name, "://");

	*database = strncmp(name, "postgresql://", strlen("postgresql://")) == 0 ||
		    strncmp(name, "postgres://", strlen("postgres://")) == 0;
	if (*database || rest == NULL)
		return 0;
	/* The rest may contain a password. */
	return error_set(err, "%.*s: no store has such a URL; a database is postgresql://USER@HOST/NAME",
	    (int)strcspn(name, ":"), name);
}
