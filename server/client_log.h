/* Logs clients that could not be served, with their addresses, at level debug. Acceptors. */
#ifndef SERVER_CLIENT_LOG_H
#define SERVER_CLIENT_LOG_H

#include <h2o.h>

/* Logs a refusal of bytes that are no request. why: the text of the answer. */
void client_log_refusal(h2o_socket_t *socket, int status, const char *why);

/* Logs a handshake that has just failed. why: libh2o's reason; OpenSSL's own is added. */
void client_log_handshake(h2o_socket_t *socket, const char *why);

#endif
