/* The check of a DATABASE_URL before any server is asked. Its errors contain no password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "store/postgres/pg_url.h"

static const char *const good[] = {
    "postgresql://u:S3CRET@h:5432/d",
    "postgresql://",
    "postgresql:///d?host=/var/run/postgresql",
    "postgresql://u:S3%40C%2fR%25ET@h/d?sslmode=verify-full&sslrootcert=/none",
    "postgresql://h1:1,h2:2,h3:3/d?target_session_attrs=read-write",
    "postgresql://h1,h2/d?hostaddr=192.0.2.1,192.0.2.2",
    "postgresql://h/d?ssl=true",
    "postgresql://h/d?user=me@server&application_name=a@b",
    "postgresql://[::1]:5432/d?connect_timeout=3&options=-c%20a%3Db",
    "host=h1,h2 port=1,2 password='S3C RET' user=u",
    "service=nobody-knows-it",
};

static const struct {
	const char *url, *told;
} bad[] = {
    {"postgresql://u:S3CRET@h/d?schema=public", "parameter \"schema\", which libpq does not know"},
    {"postgresql://u:S3CRET@h/d?pgbouncer=true&connection_limit=1", "\"pgbouncer\""},
    {"postgresql://h/d?sslmode=require&sslpassword=S3CRET&SSLMODE=x", "\"SSLMODE\""},
    {"postgresql://u:S3CRET@h/d?pgbouncer", "\"pgbouncer\" of DATABASE_URL must be followed by '='"},
    {"postgresql://u:S3CRET@h/d?options=-c%20a=b", "%3D"},
    {"postgresql://u:S3CRET%q@h/d", "a '%' that is not followed by two hexadecimal digits: write %25"},
    {"postgresql://u:S3CRET%@h/d", "write %25"},
    {"postgresql://u:S3CRET%2@h/d", "write %25"},
    {"postgresql://u:S3CRET%00@h/d", "write %25"},
    {"postgresql://h/d?application_name=100%", "write %25"},
    {"postgresql://u:S3@CRET@h/d", "write %40 for '@'"},
    {"postgresql://u:S3/CRET@h/d", "%2F for '/'"},
    {"postgresql://[::1/d", "should look like"},
    {"postgresql://u:S3CRET/d", "a port that is no number from 1 to 65535"},
    {"postgresql://h:70000/d", "a port that is no number"},
    {"postgresql://h1,h2/d?port=1,2,3", "could not match 3 port numbers to 2 hosts"},
    {"postgresql://u:S3CRET@h/d?sslmode=verify_full", "invalid sslmode value: \"verify_full\""},
    {"postgresql://h/d?target_session_attrs=primary&hostaddr=192.0.2.1&sslmode=on", "sslmode"},
    {"host=h schema=public", "parameter \"schema\""},
    {"host=h sslmode=maybe", "invalid sslmode value"},
    {"host=h password=S3 CRET=x", "in single quotes"},
    {"host=h password=S3 CRET", "should look like"},
    {"host='h", "should look like"},
};

static void
test_good_urls_are_accepted(void **state)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct error err = {"?"};

		if (pg_url_check("DATABASE_URL", good[i], &err) != 0)
			fail_msg("%s: %s", good[i], err.text);
	}
}

static void
test_bad_urls_are_refused_without_the_password(void **state)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct error err = {""};

		if (pg_url_check("DATABASE_URL", bad[i].url, &err) >= 0)
			fail_msg("accepted: %s", bad[i].url);
		if (strstr(err.text, bad[i].told) == NULL)
			fail_msg("%s: %s", bad[i].url, err.text);
		assert_null(strstr(err.text, "S3"));
		assert_null(strstr(err.text, "CRET"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good_urls_are_accepted),
	    cmocka_unit_test(test_bad_urls_are_refused_without_the_password),
	};

	/* The defaults of the user who runs the tests. */
	unsetenv("PGSERVICE");
	unsetenv("PGHOSTADDR");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
