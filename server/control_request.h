/* Converts a request of the management API to frames. Acceptors. */
#ifndef SERVER_CONTROL_REQUEST_H
#define SERVER_CONTROL_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "config/config.h"
#include "server/exchange.h"

/*
 * Checks the request and appends its frames to a list (server/control_outbox.h), with that sender and number and
 * without a receiver. Returns false, with the list unchanged, if it has answered an invalid request.
 */
bool control_request_write(
    struct exchange *exchange, const struct config *config, uint32_t sender, uint32_t number, struct bytes *list);

#endif
