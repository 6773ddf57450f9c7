/* Prints replies of the API for people. Control characters are shown as escapes. */
#ifndef CLI_API_PRINT_H
#define CLI_API_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include <cjson/cJSON.h>

#include "cli/api_client.h"

/* Prints a line for each member: its name and its value. */
void api_print_object(FILE *out, const cJSON *object);

/* Prints a table of these members of each item, at most 8, NULL-terminated. head: the first row has their names. */
void api_print_table(FILE *out, const cJSON *items, const char *const *columns, bool head);

/* Prints one line with these members (NULL-terminated). */
void api_print_line(FILE *out, const cJSON *object, const char *const *members);

/* Prints why the API refused. Of a reply that is not the API's (a proxy's, say) only the status is shown. */
void api_print_refusal(FILE *out, const struct api_reply *reply);

#endif
