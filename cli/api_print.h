/* Replies of the API for a person at a terminal. Control characters in them are shown as escapes. */
#ifndef CLI_API_PRINT_H
#define CLI_API_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include <cjson/cJSON.h>

#include "cli/api_client.h"

/* A line for each member: its name and its value. */
void api_print_object(FILE *out, const cJSON *object);

/* A table of those members of each item, at most 8, NULL-terminated; the first row has their names if head says so. */
void api_print_table(FILE *out, const cJSON *items, const char *const *columns, bool head);

/* One line with those members (NULL-terminated). */
void api_print_line(FILE *out, const cJSON *object, const char *const *members);

/* Why the API refused. A reply that is not the API's (a proxy's, say) is shown by its status alone. */
void api_print_refusal(FILE *out, const struct api_reply *reply);

#endif
