/* The commands of hooksctl that speak to the API of a running hooksd (cli/api_verbs.h has their tables). */
#ifndef CLI_API_H
#define CLI_API_H

#include <stdio.h>

#include "cli/api_verbs.h"

/* Runs the command behind the group's name in argv. Returns an exit code of cli/commands.h. */
int api_command(const struct api_group *group, int argc, char **argv);

/* Prints the --help of a group. */
void api_print_usage(FILE *out, const struct api_group *group);

#endif
