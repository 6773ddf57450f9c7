/* Splits and checks URLs of endpoints. */
#include "api/target_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "api/network_guard.h"

#define LABEL_BYTES_MAX 63

static int
check_bytes(struct span url, struct error *err)
{
	if (url.len == 0)
		return error_set(err, "is empty");
	if (url.len > TARGET_URL_BYTES_MAX)
		return error_set(err, "has %zu bytes, %d at most", url.len, TARGET_URL_BYTES_MAX);
	for (size_t i = 0; i < url.len; i++) {
		unsigned char c = (unsigned char)url.base[i];

		if (c == ' ')
			return error_set(err, "has a blank at byte %zu, which is written as %%20", i + 1);
		if (c < ' ' || c == 0x7f)
			return error_set(err, "has a control character at byte %zu", i + 1);
		if (c == '\\')
			return error_set(err, "has a backslash at byte %zu", i + 1);
		if (c > 0x7f)
			return error_set(err,
			    "has a character beyond ASCII at byte %zu: hosts are written as xn--..., the rest with %%",
			    i + 1);
		if (c == '#')
			return error_set(err, "has a fragment (#) at byte %zu, which is never sent", i + 1);
	}
	return 0;
}

/* Returns the bytes of "http://" or "https://", or 0. */
static size_t
scheme_length(struct span url)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < 2; i++) {
		size_t len = strlen(schemes[i]);

		if (url.len >= len && strncasecmp(url.base, schemes[i], len) == 0)
			return len;
	}
	return 0;
}

static int
read_port(const char *digits, size_t len, uint16_t *port, struct error *err)
{
	unsigned number = 0;

	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)digits[i]))
			return error_set(err, "has a port that is no number");
		number = number * 10 + (unsigned)(digits[i] - '0');
		if (number > 65535)
			break;
	}
	if (number < 1 || number > 65535)
		return error_set(err, "needs a port of 1 to 65535 behind the colon");
	*port = (uint16_t)number;
	return 0;
}

/* Checks the text in brackets. */
static int
check_ipv6(const char *literal, struct error *err)
{
	struct in6_addr address;

	if (strchr(literal, '%') != NULL)
		return error_set(err, "has an IPv6 address with a zone, which has a meaning on one machine only");
	if (inet_pton(AF_INET6, literal, &address) != 1)
		return error_set(err, "has no IPv6 address between the brackets");
	return 0;
}

/* Whether a last label makes its host an IPv4 address or invalid: no top-level domain looks like a number. */
static bool
label_is_number(const char *label)
{
	if (label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
		return label[2 + strspn(label + 2, "0123456789abcdefABCDEF")] == '\0';
	return label[strspn(label, "0123456789")] == '\0';
}

/* Checks a name or an IPv4 address, which sets *is_address. Cuts the root's trailing dot. */
static int
check_name(char *host, bool *is_address, struct error *err)
{
	size_t len = strlen(host);
	const char *label = host;
	struct in_addr address;

	if (host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")] != '\0')
		return error_set(err, "has a host with characters other than letters, digits, '-', '_' and '.'");
	if (len > 1 && host[len - 1] == '.') /* the root: example.com. */
		host[len - 1] = '\0';
	for (const char *at = host;; at++) {
		if (*at != '.' && *at != '\0')
			continue;
		if (at == label || at - label > LABEL_BYTES_MAX || *label == '-')
			return error_set(err,
			    "has a host with a part that is empty, begins with '-', or is longer than %d",
			    LABEL_BYTES_MAX);
		if (*at == '\0')
			break;
		label = at + 1;
	}
	*is_address = label_is_number(label);
	/* inet_aton() and libcurl accept 127.1, 2130706433, 0x7f.1 and 0177.0.0.1 as addresses. */
	if (*is_address && inet_aton(host, &address) != 1)
		return error_set(err, "has a host that ends like an IPv4 address and is none");
	return 0;
}

/* Splits the authority. */
static int
split_authority(struct target_url *parts, struct error *err)
{
	const char *at = parts->authority.base, *end = at + parts->authority.len, *host_end, *colon;
	bool ipv6 = at < end && *at == '[';

	if (memchr(at, '@', parts->authority.len) != NULL)
		return error_set(err, "has a user name before its host (@): credentials belong into headers");
	if (ipv6) {
		at++;
		host_end = memchr(at, ']', (size_t)(end - at));
		if (host_end == NULL || (host_end + 1 < end && host_end[1] != ':'))
			return error_set(err, "has no IPv6 address between the brackets");
		colon = host_end + 1;
	} else {
		colon = memchr(at, ':', (size_t)(end - at));
		host_end = colon = colon != NULL ? colon : end;
	}
	if (host_end == at || host_end - at > TARGET_HOST_BYTES_MAX)
		return error_set(err, "needs a host of 1 to %d characters", TARGET_HOST_BYTES_MAX);
	*(char *)mempcpy(parts->host, at, (size_t)(host_end - at)) = '\0';
	parts->port = parts->https ? 443 : 80;
	if (colon < end && read_port(colon + 1, (size_t)(end - colon - 1), &parts->port, err) < 0)
		return -1;
	parts->is_ipv6 = parts->is_address = ipv6;
	return ipv6 ? check_ipv6(parts->host, err) : check_name(parts->host, &parts->is_address, err);
}

int
target_url_split(struct span url, struct target_url *parts, struct error *err)
{
	const char *end, *authority, *at;
	size_t scheme;

	if (check_bytes(url, err) < 0)
		return -1;
	if ((scheme = scheme_length(url)) == 0)
		return error_set(err, "must begin with https:// or http://");
	end = url.base + url.len;
	authority = at = url.base + scheme;
	while (at < end && *at != '/' && *at != '?')
		at++;
	*parts = (struct target_url){
	    .https = scheme == strlen("https://"),
	    .authority = {authority, (size_t)(at - authority)},
	    .target = {at, (size_t)(end - at)},
	};
	return split_authority(parts, err);
}

/* ---- the host ---- */

union address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

/* The address in the host. */
static union address
address_of(const struct target_url *parts)
{
	union address address = {.any.sa_family = parts->is_ipv6 ? AF_INET6 : AF_INET};

	if (parts->is_ipv6)
		(void)inet_pton(AF_INET6, parts->host, &address.ipv6.sin6_addr);
	else
		(void)inet_aton(parts->host, &address.ipv4.sin_addr);
	return address;
}

/* RFC 6761: localhost and names below it are the machine itself. */
static bool
is_localhost(const char *host)
{
	static const char name[] = "localhost";
	size_t len = strlen(host), own = sizeof name - 1;

	return len >= own && strcasecmp(host + len - own, name) == 0 && (len == own || host[len - own - 1] == '.');
}

static bool
loopback_allowed(const struct networks *allowed)
{
	const struct target_url ipv4 = {.host = "127.0.0.1"}, ipv6 = {.host = "::1", .is_ipv6 = true};
	union address loopback4 = address_of(&ipv4), loopback6 = address_of(&ipv6);

	return network_allowed(allowed, &loopback4.any) || network_allowed(allowed, &loopback6.any);
}

int
target_url_judge(const struct target_url *parts, const struct networks *allowed, struct error *err)
{
	union address address = address_of(parts);
	bool refused = parts->is_address ? !network_allowed(allowed, &address.any)
					 : is_localhost(parts->host) && !loopback_allowed(allowed);

	return refused ? error_set(err, "points to %s, which is not a public address: HL_ALLOW_NETWORKS can allow it",
			     parts->is_address ? parts->host : "localhost")
		       : 0;
}

int
target_url_check(struct span url, const struct networks *allowed, struct error *err)
{
	struct target_url parts;

	return target_url_split(url, &parts, err) < 0 ? -1 : target_url_judge(&parts, allowed, err);
}

static bool
is_loopback(const struct target_url *parts)
{
	union address address = address_of(parts);

	if (!parts->is_address)
		return is_localhost(parts->host);
	return parts->is_ipv6 ? IN6_IS_ADDR_LOOPBACK(&address.ipv6.sin6_addr)
			      : ntohl(address.ipv4.sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
}

/* Whether host and port are those of HL_PUBLIC_URL. */
static bool
is_public(const struct target_url *parts, const char *public_url)
{
	struct target_url own;
	struct error err;

	return public_url != NULL && target_url_split((struct span){public_url, strlen(public_url)}, &own, &err) == 0 &&
	       strcasecmp(own.host, parts->host) == 0 && own.port == parts->port;
}

/* Whether text is a token. Others ("..", "%2e") could reach the service's other routes. */
static bool
is_token(const char *text, size_t len)
{
	if (len == 0 || text[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && strchr("-_.", text[i]) == NULL)
			return false;
	return true;
}

bool
target_url_is_inbox(const struct target_url *parts, const char *public_url)
{
	static const char path[] = TARGET_INBOX_PATH;
	size_t len = sizeof path - 1;

	return parts->target.len > len && memcmp(parts->target.base, path, len) == 0 &&
	       is_token(parts->target.base + len, parts->target.len - len) &&
	       (is_loopback(parts) || is_public(parts, public_url));
}
