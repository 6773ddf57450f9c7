/* TLS handshakes of clients' connections. Acceptors. */
#ifndef SERVER_HANDSHAKE_H
#define SERVER_HANDSHAKE_H

#include "server/client.h"

/* Call it before the first connection, if connections->tls is set. */
void handshakes_init(struct connections *connections, connection_begin *begin);

/* Call it for a new connection. Calls begin() after the handshake, or closes the connection. */
void handshake_await(struct connection *connection);

#endif
