/* The data of a frame. */
#include "control/stream_frame.h"

#include "base/mem.h"

void
stream_add_data(struct bytes *out, cJSON *tree)
{
	char *text = cJSON_PrintUnformatted(tree);

	if (text == NULL)
		mem_none(0);
	/* Line feeds of JSON stand between tokens: of a payload that a person has written into the store. */
	for (char *at = text; *at != '\0'; at++)
		if (*at == '\n' || *at == '\r')
			*at = ' ';
	bytes_add_text(out, "data: ");
	bytes_add_text(out, text);
	bytes_add_text(out, "\n\n");
	cJSON_free(text);
	cJSON_Delete(tree);
}
