/* Dead letters: jobs that were given up, as /v1/dlq shows and removes them. Worker threads. */
#ifndef CONTROL_DEAD_LETTERS_H
#define CONTROL_DEAD_LETTERS_H

#include "control/request.h"

request_handler dead_letter_list;
request_handler dead_letter_get;
request_handler dead_letter_delete;

#endif
