/* main() has seen to it that there are no flags but the command's own. */
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
		*value = (*words)[len] == '=' ? *words + len + 1 : words[1];
		if (*value == NULL || **value == '\0')
			return error_set(err, "%s needs a value, as in %s=VALUE", name, name);
	}
	return 0;
}
