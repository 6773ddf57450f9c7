/* The routes /v1/dlq: show and remove dead letters, jobs that were given up. Worker threads. */
#ifndef CONTROL_DEAD_LETTERS_H
#define CONTROL_DEAD_LETTERS_H

#include "control/request.h"

request_handler dead_letter_list;
request_handler dead_letter_get;
request_handler dead_letter_delete;

#endif
