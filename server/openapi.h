/* server/openapi.json, compacted and embedded at build time. */
#ifndef SERVER_OPENAPI_H
#define SERVER_OPENAPI_H

#include <stddef.h>

extern const char openapi_json[];
extern const size_t openapi_json_len; /* without the terminator */

#endif
