/* The table of operations. */
#include "api/operations.h"

const struct api_operation_info api_operation_table[API_OPERATIONS] = {
#define OPERATION(symbol, method, path, scope, resource, help) {method, path, SCOPE_##scope, help},
#include "api/operation_list.def"
};
