/* What is forwarded of a request of the management API: its parts, checked, as frames. Acceptors. */
#ifndef SERVER_CONTROL_REQUEST_H
#define SERVER_CONTROL_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "config/config.h"
#include "server/exchange.h"

/*
 * Appends the frames of the request to a list (server/control_outbox.h): from sender, of that number, to nobody yet.
 * Returns false when something is wrong with the request: it has been answered then, and the list is as it was.
 */
bool control_request_write(
    struct exchange *exchange, const struct config *config, uint32_t sender, uint32_t number, struct bytes *list);

#endif
