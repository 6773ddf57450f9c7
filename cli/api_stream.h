/* `hooksctl stream`: shows events and attempts as they come, and resumes after a lost connection. */
#ifndef CLI_API_STREAM_H
#define CLI_API_STREAM_H

#include "cli/api_call.h"
#include "cli/api_client.h"

/* Runs until the API refuses, or stdout is closed. Returns an exit code of cli/commands.h. */
int api_stream(const struct api_call *call, const struct api_server *server);

#endif
