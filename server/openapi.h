/* The OpenAPI document, joined from server/openapi/ and embedded at build time. */
#ifndef SERVER_OPENAPI_H
#define SERVER_OPENAPI_H

#include <stddef.h>

extern const char openapi_json[];
extern const size_t openapi_json_len; /* without the terminator */
extern const char openapi_yaml[]; /* the same document */
extern const size_t openapi_yaml_len;

#endif
