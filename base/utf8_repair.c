/* One character or one broken byte at a time. */
#include "base/utf8_repair.h"

#include "base/utf8.h"

void
utf8_repair(struct span text, struct bytes *out)
{
	for (size_t len; text.len > 0; text.base += len, text.len -= len) {
		len = utf8_length(text.base, text.len);
		if (len == 0 || *text.base == '\0') {
			bytes_add_text(out, "\xef\xbf\xbd");
			len = 1;
		} else {
			bytes_add(out, text.base, len);
		}
	}
}
