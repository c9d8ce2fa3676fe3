/* help.c: --help, the man page and bash completion, all from the tables of verbs and options. */
#include <string.h>

#include "cli/cli.h"

static void option_line(FILE *f, const option *o) {
    char left[64], letter[8] = "    ";
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
    fprintf(f, "  %-28s %s\n", left, o->help);
}

void cli_usage(FILE *f) {
    fputs("cotan: deep learning in C\n\nusage: cotan VERB ...\n\n", f);
    for (const verb *v = cli_verbs; v->name; v++) fprintf(f, "  %-10s %s\n", v->name, v->summary);
    fputs("\ncotan VERB --help tells about one; cotan --version -v about this machine.\n"
          "First steps: cotan train image DIR -o m.safetensors, then cotan evaluate m.safetensors DIR\n",
          f);
}

void cli_help(const verb *v) {
    printf("usage: cotan %s %s\n\n%s\n\n", v->name, v->usage, v->details);
    for (const option *o = cli_options; o->name; o++)
        if (cli_takes(o, v->name)) option_line(stdout, o);
}

/* Text for roff: dashes and leading dots guarded. */
static void roff(const char *text) {
    for (; *text; text++) {
        if (*text == '-' || *text == '\\') putchar('\\');
        putchar(*text);
        if (*text == '\n' && (text[1] == '.' || text[1] == '\'')) fputs("\\&", stdout);
    }
}

int cli_man(void) {
    printf(".TH COTAN 1 \"\" \"cotan %s\" \"User Commands\"\n.SH NAME\ncotan \\- deep learning in C: train, "
           "evaluate, predict\n.SH SYNOPSIS\n",
           CT_VERSION);
    for (const verb *v = cli_verbs; v->name; v++) {
        printf(".B cotan %s\n", v->name);
        roff(v->usage);
        printf("\n.br\n");
    }
    fputs(".SH DESCRIPTION\nResults go to standard output, everything else to standard error.\n", stdout);
    for (const verb *v = cli_verbs; v->name; v++) {
        printf(".SH COTAN %s\n", v->name);
        roff(v->details);
        putchar('\n');
        for (const option *o = cli_options; o->name; o++) {
            if (!cli_takes(o, v->name)) continue;
            fputs(".TP\n.B ", stdout);
            if (o->letter) printf("\\-%c, ", o->letter);
            fputs("\\-\\-", stdout);
            roff(o->name);
            if (o->value) printf(" \\fI%s\\fR", o->value);
            putchar('\n');
            roff(o->help);
            putchar('\n');
        }
    }
    fputs(".SH EXIT STATUS\n0 fine; 1 what was asked for does not hold, or an internal error; 2 usage; 3 bad "
          "data; 4 input or output; 5 a limit or memory;\n"
          "6 non\\-finite numbers; 130 and 143 stopped by a signal after a clean save.\n"
          ".SH ENVIRONMENT\n.TP\n.B CT_DEBUG\n1 to 4: what the library tells about its work\n.TP\n.B "
          "CT_TRAP\n1: stop at the first value that is no finite number, and name its op\n"
          ".TP\n.B NO_COLOR\nany text: no colours\n",
          stdout);
    return 0;
}

int cli_completion(void) {
    fputs("# bash completion for cotan: cotan completion > /etc/bash_completion.d/cotan\n_cotan() {\n    "
          "local word=${COMP_WORDS[COMP_CWORD]}\n    case ${COMP_WORDS[1]} in\n",
          stdout);
    for (const verb *v = cli_verbs; v->name; v++) {
        printf("    %s) COMPREPLY=($(compgen -W \"", v->name);
        for (const option *o = cli_options; o->name; o++)
            if (cli_takes(o, v->name)) printf("--%s ", o->name);
        fputs("\" -- \"$word\") $(compgen -f -- \"$word\")) ;;\n", stdout);
    }
    fputs("    *) COMPREPLY=($(compgen -W \"", stdout);
    for (const verb *v = cli_verbs; v->name; v++) printf("%s ", v->name);
    fputs("--help --version\" -- \"$word\")) ;;\n    esac\n}\ncomplete -o filenames -F _cotan cotan\n",
          stdout);
    return 0;
}
