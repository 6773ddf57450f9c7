/* Characters are repaired first, so that none can hide in half of another. */
#include "cli/terminal_text.h"

#include <string.h>

#include "base/bytes.h"
#include "base/span.h"
#include "base/utf8.h"
#include "base/utf8_repair.h"

char *
terminal_text(const char *text)
{
	struct bytes out = {0};

	utf8_repair((struct span){text, strlen(text)}, &out);
	for (size_t i = 0, bytes; i < out.len; i += bytes) {
		bytes = utf8_length(out.base + i, out.len - i);
		if (utf8_is_control(out.base + i, bytes))
			memset(out.base + i, ' ', bytes);
	}
	bytes_add(&out, "", 1);
	return out.base;
}
