/* Logs the peer's address and OpenSSL's reason. */
#include "server/client_log.h"

#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "base/log.h"

static void
write_peer(h2o_socket_t *socket, char address[NI_MAXHOST])
{
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof peer;

	if (getpeername(h2o_socket_get_fd(socket), (struct sockaddr *)&peer, &len) != 0 ||
	    getnameinfo((struct sockaddr *)&peer, len, address, NI_MAXHOST, NULL, 0, NI_NUMERICHOST) != 0)
		(void)snprintf(address, NI_MAXHOST, "?");
}

void
client_log_refusal(h2o_socket_t *socket, int status, const char *why)
{
	char address[NI_MAXHOST];

	write_peer(socket, address);
	log_debug("refused bytes that are not an HTTP request", LOG_STR("peer", address), LOG_INT("status", status),
	    LOG_STR("reason", why));
}

void
client_log_handshake(h2o_socket_t *socket, const char *why)
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;
	char address[NI_MAXHOST];

	write_peer(socket, address);
	log_debug("a TLS handshake failed", LOG_STR("peer", address), LOG_STR("error", why),
	    LOG_STR("reason", reason != NULL ? reason : ""));
}
