/* `hooksctl stream`: shows what comes, and goes on where it was when the connection is lost. */
#ifndef CLI_API_STREAM_H
#define CLI_API_STREAM_H

#include "cli/api_call.h"
#include "cli/api_client.h"

/* Runs until the API refuses, or stdout is closed. Returns an exit code of cli/commands.h. */
int api_stream(const struct api_call *call, const struct api_server *server);

#endif
