/* parse.c: reading a command line by the table of options. Options may stand anywhere; after "--" there are only
 * words. */
#include <string.h>

#include "cli/cli.h"

static const option *find(const cli *c, const char *name, size_t length) {
    for (const option *o = cli_options; o->name; o++)
        if (strlen(o->name) == length && memcmp(o->name, name, length) == 0 && cli_takes(o, c->verb))
            return o;
    return NULL;
}

static ct_status unknown(cli *c, const char *text) {
    const char *names[MAX_OPTIONS], *verb_name = c->verb ? c->verb : "", *space = c->verb ? " " : "";
    size_t n = 0;
    char word[100];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(text + strspn(text, "-"), "="),
             text + strspn(text, "-"));
    for (const option *o = cli_options; o->name; o++)
        if (cli_takes(o, c->verb)) names[n++] = o->name;
    const char *near = ct_nearest(word, names, n);
    return ct_fail(&c->e, CT_EUSAGE, "%.100s: no such option of cotan%s%s; wanted %s%s; see cotan%s%s --help",
                   text, space, verb_name, near ? "--" : "one that it has", near ? near : "", space,
                   verb_name);
}

static ct_status nothing_follows(cli *c, const char *where, const option *o) {
    return ct_fail(&c->e, CT_EUSAGE, "%s: nothing follows; wanted %s; put it behind", where, o->value);
}

static ct_status long_option(cli *c, char **argv, int *i, int argc) {
    const char *text = argv[*i] + 2, *equal = strchr(text, '='), *value = equal ? equal + 1 : NULL;
    const option *o = find(c, text, equal ? (size_t)(equal - text) : strlen(text));
    char where[60];
    if (!o) return unknown(c, argv[*i]);
    snprintf(where, sizeof where, "--%s", o->name);
    if (!o->value && value)
        return ct_fail(&c->e, CT_EUSAGE, "%s: %.200s; wanted no value, for it is a switch; leave it out",
                       where, value);
    if (o->value && !value && *i + 1 < argc) value = argv[++*i];
    if (o->value && !value) return nothing_follows(c, where, o);
    return cli_set(c, o, where, value);
}

static ct_status short_option(cli *c, char **argv, int *i, int argc) {
    const char *text = argv[*i];
    char where[3] = {'-', text[1], 0};
    for (const option *o = cli_options; o->name; o++) {
        if (o->letter != text[1] || !cli_takes(o, c->verb)) continue;
        if (!o->value) return text[2] ? unknown(c, text) : cli_set(c, o, where, NULL);
        const char *value = text[2] ? text + 2 : *i + 1 < argc ? argv[++*i] : NULL;
        return value ? cli_set(c, o, where, value) : nothing_follows(c, where, o);
    }
    return unknown(c, text);
}

static void one_word(cli *c, const char *text) {
    if (!c->verb)
        c->verb = text;
    else
        c->word[c->words++] = text;
}

ct_status cli_parse(cli *c, int argc, char **argv) {
    ct_status s = CT_OK;
    int plain = 0,
        page = 0; /* page: no verb of the table; main says what is wrong with it, words follow alone */
    c->word = ct_arena_array(&c->arena, (uint64_t)argc + 1, sizeof *c->word);
    if (!c->word) return ct_fail(&c->e, CT_ELIMIT, "out of memory");
    for (int i = 1; !s && i < argc; i++) {
        const char *text = argv[i];
        if (page && text[0] == '-')
            continue;
        else if (!plain && strcmp(text, "--") == 0)
            plain = 1;
        else if (!plain && strncmp(text, "--", 2) == 0)
            s = long_option(c, argv, &i, argc);
        else if (!plain && text[0] == '-' && text[1])
            s = short_option(c, argv, &i, argc);
        else
            one_word(c, text);
        page |= !s && c->verb == text && !cli_verb(text);
    }
    for (int i = 1; (s || !cli_verb(c->verb)) && i < argc; i++) /* a failure is JSON wherever --json stands */
        if (strcmp(argv[i], "--json") == 0) c->json = 1;
    return s;
}
