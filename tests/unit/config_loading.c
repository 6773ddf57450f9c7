/* See config_loading.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/config_loading.h"

struct ring_need
load_ring_need(const struct config *config)
{
	struct ring_need need = {.bytes = config->max_body_bytes * config->acceptors * config->writers};

	(void)snprintf(need.lanes, sizeof need.lanes, "so many lanes");
	return need;
}

int
load_from(const struct load *load, struct config *config, struct error *err)
{
	static char copies[LOAD_ARGUMENTS_MAX][512];
	char *argv[LOAD_ARGUMENTS_MAX + 2] = {NULL};
	int argc = 0;

	(void)clearenv();
	for (size_t i = 0; i < 2 && load->environment[i][0] != NULL; i++)
		assert_int_equal(setenv(load->environment[i][0], load->environment[i][1], 1), 0);
	(void)strcpy(copies[argc], "hooksd");
	argv[argc] = copies[argc];
	for (argc = 1; argc < LOAD_ARGUMENTS_MAX && load->arguments[argc - 1] != NULL; argc++) {
		assert_true(strlen(load->arguments[argc - 1]) < sizeof copies[0]);
		(void)strcpy(copies[argc], load->arguments[argc - 1]);
		argv[argc] = copies[argc];
	}
	memset(err, 0, sizeof *err);
	return config_load(config, argc, argv, load_ring_need, err);
}

void
must_load(const struct load *load, struct config *config)
{
	struct error err;
	int request = load_from(load, config, &err);

	if (request != CONFIG_RUN)
		fail_msg("%d: %s", request, err.text);
}
