/* help.c: --help, the man pages and bash completion, all from the tables of verbs and options. */
#include <string.h>

#include "cli/cli.h"

#define WIDTH 96

/* Words of `text` from column `at` on, further lines indented by `indent`. An empty line parts paragraphs. */
static void wrapped(FILE *f, const char *text, int at, int indent) {
    int first = 1;
    while (*text) {
        int n = (int)strcspn(text, " \n"), lines = (int)strspn(text + n, "\n");
        if (!first && at + 1 + n > WIDTH) {
            fprintf(f, "\n%*s", indent, "");
            at = indent;
        } else if (!first) {
            fputc(' ', f);
            at++;
        }
        fprintf(f, "%.*s", n, text);
        at += n;
        first = lines > 0;
        text += n + (lines ? lines : (int)strspn(text + n, " "));
        if (lines) {
            fprintf(f, "%s%*s", lines > 1 ? "\n\n" : "\n", indent, "");
            at = indent;
        }
    }
    fputc('\n', f);
}

/* The help of an option, its choices where it says "{}". */
static void meaning(const option *o, ct_text *t) {
    const char *place = strstr(o->help, "{}"), *k;
    char one[64];
    ct_text_format(t, "%.*s", place ? (int)(place - o->help) : (int)strlen(o->help), o->help);
    for (int32_t i = 0; place && (k = cli_choice(o, i, one)); i++)
        ct_text_format(t, "%s%s", i ? ", " : "", k);
    if (place) ct_text_add(t, place + 2);
}

static void option_line(FILE *f, const option *o) {
    char left[64], letter[8] = "    ";
    ct_text t = {0};
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
    meaning(o, &t);
    int used = fprintf(f, "  %-26s  ", left);
    if (used > 30) {
        fprintf(f, "\n%*s", 30, "");
        used = 30;
    }
    wrapped(f, t.data ? t.data : "", used, 30);
    ct_text_free(&t);
}

void cli_usage(FILE *f) {
    fputs("cotan: deep learning in C\n\nusage: cotan VERB ... [options]\n\n", f);
    for (const verb *v = cli_verbs; v->name; v++) fprintf(f, "  %-10s %s\n", v->name, v->summary);
    fputs("\ncotan VERB --help tells about one, cotan --version -v about this machine.\n"
          "First steps:\n  cotan train image DIR -o m.safetensors\n  cotan evaluate m.safetensors DIR\n",
          f);
}

static void example_lines(FILE *f, const char *text) {
    while (*text) {
        int n = (int)strcspn(text, "\n");
        fprintf(f, "  %.*s\n", n, text);
        text += n + (text[n] == '\n');
    }
}

void cli_help(const verb *v) {
    printf("usage: cotan %s %s\n\n", v->name, v->usage);
    wrapped(stdout, v->details, 0, 0);
    printf("\nOptions:\n");
    for (const option *o = cli_options; o->name; o++)
        if (cli_takes(o, v->name)) option_line(stdout, o);
    printf("\nExamples:\n");
    example_lines(stdout, v->examples);
}

/* ---- man pages ---- */

/* Text for roff: dashes and backslashes are literal, a leading dot or quote is guarded, an empty line parts
 * paragraphs. */
static void roff(const char *text) {
    int begin = 1;
    for (; *text; text++) {
        if (begin && (*text == '.' || *text == '\'')) fputs("\\&", stdout);
        begin = *text == '\n';
        if (*text == '\n' && text[1] == '\n') {
            fputs("\n.PP", stdout);
            continue;
        }
        if (*text == '-' || *text == '\\') putchar('\\');
        putchar(*text);
        if (*text == '\\') putchar('e');
    }
    putchar('\n');
}

static void roff_options(const char *verb_name) {
    for (const option *o = cli_options; o->name; o++) {
        ct_text t = {0};
        if (!cli_takes(o, verb_name)) continue;
        fputs(".TP\n", stdout);
        if (o->letter) printf("\\fB\\-%c\\fR, ", o->letter);
        fputs("\\fB\\-\\-", stdout);
        for (const char *p = o->name; *p; p++) printf(*p == '-' ? "\\-" : "%c", *p);
        printf("\\fR%s%s%s\n", o->value ? " \\fI" : "", o->value ? o->value : "", o->value ? "\\fR" : "");
        meaning(o, &t);
        roff(t.data ? t.data : "");
        ct_text_free(&t);
    }
}

static void man_of_all(void) {
    printf(".TH COTAN 1 \"\" \"cotan %s\" \"User Commands\"\n.SH NAME\ncotan \\- deep learning in C: train, "
           "evaluate, predict\n.SH SYNOPSIS\n",
           CT_VERSION);
    fputs(".B cotan\n.I VERB\n[words and options]\n.br\n.B cotan\n.I VERB\n.B \\-\\-help\n.SH DESCRIPTION\n",
          stdout);
    roff(
        "Trains networks on your own files and writes one file, the model, that predicts, evaluates and "
        "embeds in "
        "C and C++ programs. Same data, options and seed give the same model, bit for bit.\n\n"
        "Results go to standard output, everything else to standard error: progress as one live line on a "
        "terminal, as one plain line an epoch elsewhere. With --json standard output carries JSON, a failure "
        "too: {\"error\", \"code\", \"file\", \"pos\"}. A file named - is standard input.");
    fputs(".SH VERBS\n", stdout);
    for (const verb *v = cli_verbs; v->name; v++) {
        printf(".TP\n.B cotan %s\n.br\n", v->name);
        roff(v->summary);
    }
    fputs(".SH OPTIONS\n", stdout);
    roff_options(NULL);
    fputs(".SH EXIT STATUS\n", stdout);
    static const char *const codes[][2] = {
        {"0", "fine"},
        {"1", "what was asked for does not hold (cotan check, cotan compare \\-\\-require\\-better), or an "
              "internal error"},
        {"2", "usage: a wrong word, option, configuration or net"},
        {"3", "bad data in a file"},
        {"4", "input or output: the system refused"},
        {"5", "a limit, or memory"},
        {"6", "numbers that are not finite"},
        {"129, 130, 143", "stopped by SIGHUP, SIGINT or SIGTERM after a clean save"}};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        printf(".TP\n.B %s\n%s\n", codes[i][0], codes[i][1]);
    fputs(".SH ENVIRONMENT\n.TP\n.B CT_DEBUG\n1 to 4, each with those before it: the runs; the plan as a "
          "table; the "
          "graph after each pass; least, greatest and mean value of every node\n"
          ".TP\n.B CT_TRAP\n1: stop at the first value that is no finite number, and name its op\n"
          ".TP\n.B NO_COLOR\nany text: no colours\n"
          ".SH SEE ALSO\n",
          stdout);
    for (const verb *v = cli_verbs; v->name; v++)
        printf("%s.BR cotan\\-%s (1)", v == cli_verbs ? "" : ",\n", v->name);
    putchar('\n');
}

static void roff_examples(const char *text) {
    while (*text) {
        int n = (int)strcspn(text, "\n");
        char line[200];
        snprintf(line, sizeof line, "%.*s", n, text);
        fputs(".PP\n", stdout);
        if (*line == '#') {
            roff(line + 2);
            text += n + 1;
            n = (int)strcspn(text, "\n");
            snprintf(line, sizeof line, "%.*s", n, text);
        }
        fputs(".RS 4\n.EX\n", stdout);
        roff(line);
        fputs(".EE\n.RE\n", stdout);
        text += n + (text[n] == '\n');
    }
}

static void man_of(const verb *v) {
    printf(".TH COTAN\\-%s 1 \"\" \"cotan %s\" \"User Commands\"\n.SH NAME\ncotan\\-%s \\- ", v->name,
           CT_VERSION, v->name);
    roff(v->summary);
    printf(".SH SYNOPSIS\n.B cotan %s\n", v->name);
    roff(v->usage);
    fputs(".SH DESCRIPTION\n", stdout);
    roff(v->details);
    fputs(".SH OPTIONS\n", stdout);
    roff_options(v->name);
    fputs(".SH EXAMPLES\n", stdout);
    roff_examples(v->examples);
    fputs(".SH SEE ALSO\n.BR cotan (1)\n", stdout);
}

int cli_man(const char *verb_name) {
    const verb *v = cli_verb(verb_name);
    if (verb_name && !v) return 2;
    if (v)
        man_of(v);
    else
        man_of_all();
    return 0;
}

/* ---- completion ---- */

static void complete_values(const verb *v) {
    for (const option *o = cli_options; o->name; o++) {
        ct_text t = {0};
        char one[64];
        const char *k;
        if (!o->choices || !cli_takes(o, v->name)) continue;
        for (int32_t i = 0; (k = cli_choice(o, i, one)); i++) ct_text_format(&t, "%s%s", i ? " " : "", k);
        printf("        %s.--%s) COMPREPLY=($(compgen -W \"%s\" -- \"$word\")); return ;;\n", v->name,
               o->name, t.data);
        ct_text_free(&t);
    }
}

int cli_completion(void) {
    fputs("# bash completion for cotan\n_cotan() {\n    local word=${COMP_WORDS[COMP_CWORD]} "
          "before=${COMP_WORDS[COMP_CWORD-1]}\n    case ${COMP_WORDS[1]}.$before in\n",
          stdout);
    for (const verb *v = cli_verbs; v->name; v++) complete_values(v);
    fputs("    esac\n    [ \"$COMP_CWORD\" = 1 ] && set -- words || set -- \"${COMP_WORDS[1]}\"\n    case $1 "
          "in\n",
          stdout);
    for (const verb *v = cli_verbs; v->name; v++) {
        printf("        %s) COMPREPLY=($(compgen -W \"", v->name);
        for (const option *o = cli_options; o->name; o++)
            if (cli_takes(o, v->name)) printf("--%s ", o->name);
        fputs("\" -- \"$word\") $(compgen -f -- \"$word\")) ;;\n", stdout);
    }
    fputs("        *) COMPREPLY=($(compgen -W \"", stdout);
    for (const verb *v = cli_verbs; v->name; v++) printf("%s ", v->name);
    for (const option *o = cli_options; o->name; o++)
        if (cli_takes(o, NULL)) printf("--%s ", o->name);
    fputs("\" -- \"$word\")) ;;\n    esac\n}\ncomplete -o filenames -F _cotan cotan\n", stdout);
    return 0;
}
