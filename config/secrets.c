/* Wiping secrets. */
#include "config/secrets.h"

#include <string.h>
#include <unistd.h>

#include "config/flags.h"
#include "config/option_value.h"
#include "config/options.h"

static void
wipe_variable(const char *name)
{
	size_t len = strlen(name);

	for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
		if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=')
			explicit_bzero(*entry + len + 1, strlen(*entry + len + 1));
	}
}

void
config_wipe_secrets(struct config *config, int argc, char **argv)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *option = &option_table[i];

		if (!option->secret)
			continue;
		wipe_variable(option->name);
		option_clear(option, config);
	}
	wipe_variable("PGPASSWORD");

	for (int next = 1; next < argc;) {
		struct error unused;
		struct flag flag;

		if (flag_read(argc, argv, &next, &flag, &unused) < 0)
			return;
		if (flag.option != NULL && flag.option->secret && flag.value != NULL)
			explicit_bzero(flag.value, strlen(flag.value));
	}
}
