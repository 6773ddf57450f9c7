/* DATABASE_URL: which forms are accepted, and no password is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "config/database_url.h"

struct row {
	const char *given;
	const char *expected; /* NULL: refused */
};

static const struct row forms[] = {
    {"postgresql://u:p@h:5432/d", "postgresql://u:p@h:5432/d"},
    {"postgres://h/d", "postgresql://h/d"},
    {"postgresql://", "postgresql://"},
    {"postgresql+asyncpg://u:p@h/d?sslmode=require", "postgresql://u:p@h/d?sslmode=require"},
    {"postgresql+psycopg2://h/d", "postgresql://h/d"},
    {"postgres+psycopg_async://h/d", "postgresql://h/d"},
    {"host=db dbname=events", "host=db dbname=events"},
    {"  host = db", "  host = db"},
    {"", NULL},
    {"postgresql", NULL},
    {"postgresql:/h", NULL},
    {"POSTGRESQL://h", NULL},
    {"postgresqlx://h/d", NULL},
    {"postgresql+Async pg://h/d", NULL},
    {"mysql://u:p@h/d", NULL},
    {"sqlite:///x", NULL},
    {"localhost", NULL},
    {"=db", NULL},
    {"events.db?x=1", NULL},
};

static const struct row masks[] = {
    {"postgresql://h/d", "postgresql://h/d"},
    {"postgresql://u@h/d", "postgresql://u@h/d"},
    {"postgresql://u:S3@h:5432/d", "postgresql://u:***@h:5432/d"},
    {"postgresql://u:@h/d", "postgresql://u:***@h/d"},
    {"postgresql://:S3@h/d", "postgresql://:***@h/d"},
    {"postgresql://u:S3@h1:1,h2:2/d?sslmode=require", "postgresql://u:***@h1:1,h2:2/d?sslmode=require"},
    {"postgresql://h:5432/d?a=b", "postgresql://h:5432/d?a=b"},
    /* characters that should be percent-encoded */
    {"postgresql://u:S3@S3@h/d", "postgresql://u:***@h/d"},
    {"postgresql://u:S3/S3@h/d", "postgresql://u:***@h/d"},
    {"postgresql://u:S3?S3@h/d?a=b", "postgresql://u:***@h/d?a=b"},
    {"postgresql://u:S3:S3#S3@h/d", "postgresql://u:***@h/d"},
    /* parameters */
    {"postgresql://h/d?password=S3", "postgresql://h/d?password=***"},
    {"postgresql://h/d?a=b&password=S3&c=d", "postgresql://h/d?a=b&password=***&c=d"},
    {"postgresql://h/d?PassWord=S3&sslpassword=S3", "postgresql://h/d?PassWord=***&sslpassword=***"},
    {"postgresql://h/d?p%61ssword=S3", "postgresql://h/d?p%61ssword=***"},
    {"postgresql://h/d?password=S3=S3", "postgresql://h/d?password=***"},
    {"postgresql://h/d?password=", "postgresql://h/d?password=***"},
    {"postgresql://h/d?password", "postgresql://h/d?password"},
    {"postgresql://h/d?passfile=/f&&x", "postgresql://h/d?passfile=/f&&x"},
    {"postgresql://u:S3@h/d?password=S3", "postgresql://u:***@h/d?password=***"},
    /* connection strings */
    {"host=h dbname=d", "host=h dbname=d"},
    {"password=S3", "password=***"},
    {"password= S3 host=h", "password= *** host=h"},
    {"host=h password = 'S3 S3' user=u", "host=h password = *** user=u"},
    {"password='S3\\'S3 S3' user='a b'", "password=*** user='a b'"},
    {"password=S3\\ S3 user=u", "password=*** user=u"},
    {"password='S3 never closed user=u", "password=***"},
    {"password=S3 S3", "password=*** ***"},
    {"password=S3 S3 S3=S3", "password=*** ***"},
    {"password=S3\\", "password=***"},
    {"password=", "password=***"},
    {"host=h\tPASSWORD\t=\tS3  ", "host=h\tPASSWORD\t=\t***  "},
    {"client_secret=S3 host=h", "client_secret=*** host=h"},
};

static void
test_postgres_urls_and_connection_strings_are_accepted_and_other_text_is_refused(void **state)
{
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		char *url = database_url_read(forms[i].given);

		if (forms[i].expected == NULL && url != NULL)
			fail_msg("%s is accepted as %s", forms[i].given, url);
		if (forms[i].expected != NULL) {
			assert_non_null(url);
			assert_string_equal(url, forms[i].expected);
		}
		free(url);
	}
}

static void
test_no_password_is_shown(void **state)
{
	for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
		char *masked = database_url_masked(masks[i].given);

		assert_string_equal(masked, masks[i].expected);
		assert_null(strstr(masked, "S3"));
		free(masked);
	}
}

/* For the sanitizers: the text grows most when an empty password follows every second byte. */
static void
test_a_text_that_grows_when_masked_fits(void **state)
{
	static const char one[] = "secret='' ";
	char text[200 * (sizeof one - 1) + 1] = "";

	for (int i = 0; i < 200; i++)
		memcpy(text + (size_t)i * (sizeof one - 1), one, sizeof one);
	char *masked = database_url_masked(text);
	assert_int_equal(strlen(masked), 200 * strlen("secret=*** "));
	free(masked);

	masked = database_url_masked("postgresql://:@?%=&%=&%=&%=&%=&%=");
	assert_string_equal(masked, "postgresql://:***@?%=***&%=***&%=***&%=***&%=***&%=***");
	free(masked);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_postgres_urls_and_connection_strings_are_accepted_and_other_text_is_refused),
	    cmocka_unit_test(test_no_password_is_shown),
	    cmocka_unit_test(test_a_text_that_grows_when_masked_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
