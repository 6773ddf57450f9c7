/* The URL of an endpoint. */
#include "api/target_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "api/network_guard.h"

#define HOST_BYTES_MAX 253 /* RFC 1035: 255 on the wire */
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
check_port(const char *digits, size_t len, struct error *err)
{
	unsigned port = 0;

	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)digits[i]))
			return error_set(err, "has a port that is no number");
		port = port * 10 + (unsigned)(digits[i] - '0');
		if (port > 65535)
			break;
	}
	return port >= 1 && port <= 65535 ? 0 : error_set(err, "needs a port of 1 to 65535 behind the colon");
}

static int
refuse_address(const char *host, struct error *err)
{
	return error_set(err, "points to %s, which is not a public address: HL_ALLOW_NETWORKS can allow it", host);
}

/* What stands in brackets. */
static int
check_ipv6(const char *literal, const struct networks *allowed, struct error *err)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6};

	if (strchr(literal, '%') != NULL)
		return error_set(err, "has an IPv6 address with a zone, which has a meaning on one machine only");
	if (inet_pton(AF_INET6, literal, &address.sin6_addr) != 1)
		return error_set(err, "has no IPv6 address between the brackets");
	return network_allowed(allowed, (const struct sockaddr *)&address) ? 0 : refuse_address(literal, err);
}

/* A label that makes its host an IPv4 address, or nothing: no top-level domain looks like a number. */
static bool
label_is_number(const char *label)
{
	if (label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
		return label[2 + strspn(label + 2, "0123456789abcdefABCDEF")] == '\0';
	return label[strspn(label, "0123456789")] == '\0';
}

static int
check_ipv4(const char *host, const struct networks *allowed, struct error *err)
{
	struct sockaddr_in address = {.sin_family = AF_INET};

	/* 127.1, 2130706433, 0x7f.1 and 0177.0.0.1 are addresses for inet_aton(), and for libcurl. */
	if (inet_aton(host, &address.sin_addr) != 1)
		return error_set(err, "has a host that ends like an IPv4 address and is none");
	return network_allowed(allowed, (const struct sockaddr *)&address) ? 0 : refuse_address(host, err);
}

/* RFC 6761: such a name is the machine itself. */
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
	struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	return network_allowed(allowed, (const struct sockaddr *)&ipv4) ||
	       network_allowed(allowed, (const struct sockaddr *)&ipv6);
}

/* A name, or an IPv4 address. */
static int
check_name(char *host, const struct networks *allowed, struct error *err)
{
	size_t len = strlen(host);
	const char *label = host;

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
	if (label_is_number(label))
		return check_ipv4(host, allowed, err);
	return is_localhost(host) && !loopback_allowed(allowed) ? refuse_address("localhost", err) : 0;
}

int
target_url_check(struct span url, const struct networks *allowed, struct error *err)
{
	char host[HOST_BYTES_MAX + 1];
	const char *authority, *end, *host_end, *colon;
	size_t scheme, len;
	bool ipv6;

	if (check_bytes(url, err) < 0)
		return -1;
	if ((scheme = scheme_length(url)) == 0)
		return error_set(err, "must begin with https:// or http://");
	authority = url.base + scheme;
	end = url.base + url.len;
	for (const char *at = authority; at < end; at++)
		if (*at == '/' || *at == '?')
			end = at;
	if (memchr(authority, '@', (size_t)(end - authority)) != NULL)
		return error_set(err, "has a user name before its host (@): credentials belong into headers");

	ipv6 = authority < end && *authority == '[';
	if (ipv6) {
		authority++;
		host_end = memchr(authority, ']', (size_t)(end - authority));
		if (host_end == NULL || (host_end + 1 < end && host_end[1] != ':'))
			return error_set(err, "has no IPv6 address between the brackets");
		colon = host_end + 1;
	} else {
		colon = memchr(authority, ':', (size_t)(end - authority));
		host_end = colon = colon != NULL ? colon : end;
	}
	len = (size_t)(host_end - authority);
	if (len == 0 || len > HOST_BYTES_MAX)
		return error_set(err, "needs a host of 1 to %d characters", HOST_BYTES_MAX);
	memcpy(host, authority, len);
	host[len] = '\0';
	if (colon < end && check_port(colon + 1, (size_t)(end - colon - 1), err) < 0)
		return -1;
	return ipv6 ? check_ipv6(host, allowed, err) : check_name(host, allowed, err);
}
