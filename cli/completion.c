/*
 * The script is one function with a case for each command. The first word decides the possible second words; both
 * decide the options.
 */
#include "cli/completion.h"

#include "cli/api_verbs.h"
#include "config/options.h"

void
completion_begin(FILE *out, bool zsh)
{
	if (zsh)
		fputs("autoload -U +X bashcompinit && bashcompinit\n", out);
	fputs("_hooksctl() {\n"
	      "\tlocal word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} verb=${COMP_WORDS[2]} words flags\n"
	      "\tlocal commands='completion help'\n"
	      "\tflags='--help",
	    out);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char flag[OPTION_FLAG_MAX];

		option_flag(&option_table[i], flag);
		fprintf(out, " %s=", flag);
	}
	fputs("'\n", out);
}

void
completion_add_command(FILE *out, const char *name, const char *verbs, const char *const *flags)
{
	fprintf(out, "\tcommands+=' %s'\n", name);
	if (verbs != NULL)
		fprintf(out, "\t[[ $command == %s ]] && words='%s'\n", name, verbs);
	for (; flags != NULL && *flags != NULL; flags++)
		fprintf(out, "\t[[ $command == %s ]] && flags+=' %s'\n", name, *flags);
}

static void
add_group(FILE *out, const struct api_group *group)
{
	fprintf(out, "\tcommands+=' %s'\n\tif [[ $command == %s ]]; then\n\t\twords='", group->name, group->name);
	for (const struct api_verb *verb = group->verbs; verb->name != NULL; verb++)
		fprintf(out, "%s%s", verb == group->verbs ? "" : " ", verb->name);
	fputs("'\n\t\tflags='--help --json --file= --if-match= --hl-url= --hl-api-key-file='\n", out);
	for (const struct api_verb *verb = group->verbs; verb->name != NULL; verb++) {
		if (verb->options == NULL)
			continue;
		fprintf(out, "\t\t[[ $verb == %s", verb->name);
		if (verb->second_name != NULL)
			fprintf(out, " || $verb == %s", verb->second_name);
		fputs(" ]] && flags+='", out);
		for (const struct api_option *option = verb->options; option->name != NULL; option++)
			fprintf(out, " --%s%s", option->name, option->kind == API_BOOL ? "" : "=");
		fputs("'\n", out);
	}
	fputs("\tfi\n", out);
}

void
completion_end(FILE *out)
{
	for (size_t i = 0; i < api_group_count; i++)
		add_group(out, &api_groups[i]);
	fputs("\t[[ $command == completion ]] && words='bash zsh'\n"
	      "\tif [[ $COMP_CWORD == 1 ]]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W \"$commands\" -- \"$word\"))\n"
	      "\telif [[ $word == -* ]]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W \"$flags\" -- \"$word\"))\n"
	      "\t\t[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null\n"
	      "\telif [[ $COMP_CWORD == 2 ]]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
	      "\telse\n"
	      "\t\tCOMPREPLY=($(compgen -f -- \"$word\"))\n"
	      "\tfi\n"
	      "}\n"
	      "complete -F _hooksctl hooksctl\n",
	    out);
}
