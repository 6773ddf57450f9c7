/* What the log says of clients that could not be served, with their addresses; at level debug. Acceptors. */
#ifndef SERVER_CLIENT_LOG_H
#define SERVER_CLIENT_LOG_H

#include <h2o.h>

/* What came was no request, and has been answered with that status. why: as the client is told. */
void client_log_refusal(h2o_socket_t *socket, int status, const char *why);

/* A handshake has failed just now. why: as libh2o says; OpenSSL's own reason is added. */
void client_log_handshake(h2o_socket_t *socket, const char *why);

#endif
