/*
 * Arbitrary configurations: each line of an input is a flag if it begins with "--", otherwise a variable of the
 * environment. Files are not read: fuzz_secret_file.c does that. For every input:
 *
 *   - a configuration that is refused has an error message;
 *   - one that is accepted, printed and read again is the same.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config.h"
#include "config/load.h"
#include "config/option_value.h"
#include "config/options.h"
#include "config/print.h"
#include "tests/fuzz/target.h"

#define ARGUMENTS_MAX 16
#define VARIABLES_MAX 256

/* The environment. setenv() would keep every string that it was given. The first value of a name counts. */
static char *variables[VARIABLES_MAX + 1];
static size_t variable_count;

static struct ring_need
small_ring(const struct config *config)
{
	(void)config;
	return (struct ring_need){.bytes = 1 << 20, .lanes = "some lanes", .hl_bytes = 1 << 20};
}

/* Whether the line gives an option that names a file with a secret. */
static bool
names_secret_file(const char *line)
{
	const char *name = line + strspn(line, "-"), *end = name + strcspn(name, "=");
	const struct option *option = option_find(name, (size_t)(end - name));

	return option != NULL && option->type == TYPE_SECRET_FILE;
}

static void
clear_variables(void)
{
	environ = variables;
	variable_count = 0;
	variables[0] = NULL;
}

/* Makes a variable of "NAME=value". The line is borrowed. */
static void
add_variable(char *line)
{
	if (strchr(line, '=') == NULL || variable_count == VARIABLES_MAX)
		return;
	variables[variable_count++] = line;
	variables[variable_count] = NULL;
}

static int
load(char **arguments, int count, struct config *config)
{
	char name[] = "hooksd", *argv[ARGUMENTS_MAX + 2] = {name};
	struct error err = {.text = ""};
	int rc;

	for (int i = 0; i < count; i++)
		argv[i + 1] = arguments[i];
	rc = config_load(config, count + 1, argv, small_ring, &err);
	if (rc < 0)
		assert(err.text[0] != '\0');
	return rc;
}

static char *
printed(const struct config *config)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert(out != NULL);
	config_print(out, config);
	assert(fclose(out) == 0);
	return text;
}

/*
 * Secrets are printed as ***, so they are taken from the configuration itself. Returns how many of these strings there
 * are.
 */
static size_t
add_secrets(const struct config *config, char *secrets[OPTION_COUNT])
{
	size_t count = 0;

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const char *text = option_table[i].secret ? option_text(&option_table[i], config) : NULL;

		if (text == NULL)
			continue;
		secrets[count] = mem_printf("%s=%s", option_table[i].name, text);
		add_variable(secrets[count++]);
	}
	return count;
}

static void
check_again(const struct config *config)
{
	char *text = printed(config), *copy = mem_strdup(text), *rest = copy, *line, *second, *secrets[OPTION_COUNT];
	struct config again;
	size_t count;

	clear_variables();
	count = add_secrets(config, secrets);
	while ((line = strsep(&rest, "\n")) != NULL)
		add_variable(line);
	assert(load(NULL, 0, &again) == CONFIG_RUN);
	second = printed(&again);
	assert(strcmp(text, second) == 0);
	free(second);
	free(copy);
	free(text);
	while (count > 0)
		free(secrets[--count]);
	config_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1), *rest = copy, *line, *arguments[ARGUMENTS_MAX];
	static char cpus[] = "ACCEPTORS=2"; /* because counting the CPUs takes long */
	struct config config;
	int count = 0, rc;

	assert(copy != NULL);
	memcpy(copy, data, size);
	copy[size] = '\0';
	clear_variables();
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (names_secret_file(line))
			continue;
		if (strncmp(line, "--", 2) != 0)
			add_variable(line);
		else if (count < ARGUMENTS_MAX)
			arguments[count++] = line;
	}
	add_variable(cpus);
	rc = load(arguments, count, &config);
	if (rc == CONFIG_RUN)
		check_again(&config);
	if (rc >= 0)
		config_free(&config);
	free(copy);
	return 0;
}
