/* options.c: the table of all options, and reading a command line by it. */
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { SWITCH, TEXT, WHOLE, REAL, SEED, DURATION, SETTING };
#define AT(field) offsetof(cli, field)

const option cli_options[] = {
    {"output", 'o', "FILE", TEXT, AT(output), 0, 0, " train ",
     "the model to write, such as m.safetensors; m.run/ stands beside it"},
    {"model", 0, "PRESET", TEXT, AT(model), 0, 0, " train ", "a built-in net (`cotan presets`); default cnn"},
    {"net", 0, "FILE", TEXT, AT(net), 0, 0, " train ", "a net of your own as text"},
    {"set", 0, "NAME=VALUE", SETTING, 0, 0, 0, " train plan ",
     "another value for a `param` of the net; repeat for more"},
    {"epochs", 0, "N", WHOLE, AT(epochs), 1, 1e6, " train ", "passes over the training part; default 10"},
    {"batch", 0, "N", WHOLE, AT(batch), 1, 1 << 24, " train plan ", "records a step; default 64"},
    {"lr", 0, "X", REAL, AT(lr), 1e-30, 1e30, " train ", "learning rate; default: the optimizer's"},
    {"optimizer", 0, "NAME", TEXT, AT(optimizer), 0, 0, " train ",
     "adam, adamw, sgd, nadam, rmsprop, adagrad, adadelta, lion; default adam"},
    {"schedule", 0, "NAME", TEXT, AT(schedule), 0, 0, " train ",
     "constant, step, cosine, one_cycle, inverse_sqrt, plateau, linear; default one_cycle"},
    {"weight-decay", 0, "X", REAL, AT(weight_decay), 0, 1e9, " train ",
     "shrinks weights (L2; decoupled with adamw and lion)"},
    {"clip", 0, "X", REAL, AT(clip), 0, 1e30, " train ", "the greatest global norm of the gradient"},
    {"ema", 0, "DECAY", REAL, AT(ema), 0, 1, " train ", "keep an exponential moving average of the weights"},
    {"label-smoothing", 0, "X", REAL, AT(label_smoothing), 0, 1, " train ",
     "share of the target spread over all classes"},
    {"patience", 0, "N", WHOLE, AT(patience), 0, 1e6, " train ",
     "stop after N epochs without a better validation loss"},
    {"transform", 0, "LIST", TEXT, AT(transform), 0, 0, " train ",
     "steps for pictures: \"normalize mean=M std=S, random_crop 28 pad=2, flip 0.5\""},
    {"validate", 0, "DIR", TEXT, AT(validate), 0, 0, " train ",
     "the validation part; default: a tenth of the training part, by hash"},
    {"init", 0, "MODEL", TEXT, AT(init), 0, 0, " train ", "weights to begin with"},
    {"limit", 0, "N", WHOLE, AT(limit), 1, 9e15, " train evaluate predict ", "only the first N records"},
    {"time-limit", 0, "TIME", DURATION, AT(time_limit), 1e-3, 1e9, " train ",
     "90s, 10m, 2h: the model is written by then"},
    {"resume", 0, NULL, SWITCH, AT(resume), 0, 0, " train ", "go on where the run stopped"},
    {"force", 0, NULL, SWITCH, AT(force), 0, 0, " train ", "begin anew over an existing output"},
    {"dry-run", 0, NULL, SWITCH, AT(dry_run), 0, 0, " train ", "show what would be done, write nothing"},
    {"checkpoint-every", 0, "STEPS", WHOLE, AT(checkpoint_every), 1, 1e9, " train ",
     "steps between checkpoints; default 200"},
    {"config", 0, "FILE", TEXT, AT(config), 0, 0, " train ",
     "options from a JSON file, such as a run's config.json; given options win"},
    {"part", 0, "NAME", TEXT, AT(part), 0, 0, " evaluate ", "train, validation, test or all; default test"},
    {"top", 0, "K", WHOLE, AT(top), 1, 1e6, " predict ", "the K most probable classes; default 1"},
    {"input", 0, "SHAPE", TEXT, AT(input), 0, 0, " plan ",
     "for a preset or a net: the picture's shape, such as 3x32x32; default 1x28x28"},
    {"classes", 0, "N", WHOLE, AT(classes), 1, 1e9, " plan ", "for a preset or a net: classes; default 10"},
    {"train", 0, NULL, SWITCH, AT(train), 0, 0, " plan ",
     "the plan of a training step instead of a prediction"},
    {"dot", 0, NULL, SWITCH, AT(dot), 0, 0, " plan ", "the graph as Graphviz dot"},
    {"repeats", 0, "N", WHOLE, AT(repeats), 1, 1e6, " plan ", "runs to measure; default 20"},
    {"seconds", 0, "S", REAL, AT(seconds), 1e-3, 1e6, " bench ",
     "length of each of five windows; default 0.5"},
    {"weights", 0, "FILE", TEXT, AT(weights), 0, 0, " bench ",
     "with --gradients: weights, `input` and `target` from a safetensors file"},
    {"gradients", 0, "FILE", TEXT, AT(gradients), 0, 0, " bench ",
     "write the loss and all gradients at --weights there, measure nothing"},
    {"seed", 0, "N", SEED, AT(seed), 0, 0, " train check ", "of every random choice; default 0"},
    {"threads", 0, "N", WHOLE, AT(threads), 1, 4096, " train evaluate predict plan check bench ",
     "default: the cores allowed"},
    {"json", 0, NULL, SWITCH, AT(json), 0, 0, " train evaluate predict inspect plan check bench presets ",
     "results as JSON on stdout"},
    {"quiet", 'q', NULL, SWITCH, AT(quiet), 0, 0, " train check ", "nothing on stderr but errors"},
    {"verbose", 'v', NULL, SWITCH, AT(verbose), 0, 0, " ",
     "with --version: CPU features, libraries, threads"},
    {"help", 'h', NULL, SWITCH, AT(help), 0, 0, NULL, "this text"},
    {"version", 0, NULL, SWITCH, AT(version), 0, 0, " ", "the version"},
    {0},
};

int cli_takes(const option *o, const char *of) {
    char key[40];
    if (!o->verbs) return 1;
    snprintf(key, sizeof key, " %s ", of ? of : "");
    return strstr(o->verbs, of ? key : " ") && (of || strcmp(o->verbs, " ") == 0);
}

static ct_status bad(cli *c, const char *where, const char *text, const char *wanted) {
    return ct_fail(&c->e, CT_EUSAGE, "%s: %.200s; wanted %s", where, text, wanted);
}

static ct_status number(cli *c, const option *o, const char *where, const char *text, double *out) {
    char *end = NULL, range[100];
    errno = 0;
    double v = strtod(text, &end);
    snprintf(range, sizeof range, "%s from %.9g to %.9g", o->type == WHOLE ? "a whole number" : "a number",
             o->min, o->max);
    if (o->type == DURATION && end != text && *end && !end[1]) {
        double unit = *end == 's' ? 1 : *end == 'm' ? 60 : *end == 'h' ? 3600 : 0;
        if (!(unit > 0)) return bad(c, where, text, "a time such as 90s, 10m or 2h");
        v *= unit;
        end++;
    }
    if (end == text || *end || errno || !isfinite(v) || v < o->min || v > o->max ||
        (o->type == WHOLE && v != floor(v)))
        return bad(c, where, text, range);
    *out = v;
    return CT_OK;
}

static ct_status setting(cli *c, const char *where, const char *text) {
    const char *equal = strchr(text, '=');
    if (!equal || equal == text || !equal[1]) return bad(c, where, text, "NAME=VALUE");
    if (c->n_set == MAX_SETS) return bad(c, where, text, "at most 64 settings");
    char *name = strdup(text);
    if (!name) return ct_fail(&c->e, CT_ELIMIT, "%s: out of memory", where);
    name[equal - text] = 0;
    c->set[c->n_set++] = (ct_setting){name, name + (equal - text) + 1};
    return CT_OK;
}

ct_status cli_set(cli *c, const option *o, const char *where, const char *text) {
    char *at = (char *)c + o->offset;
    double v = 0;
    if (o->type == SWITCH) {
        *(int32_t *)(void *)at = 1;
        return CT_OK;
    }
    if (o->type == TEXT) {
        if (!*text) return bad(c, where, "an empty text", o->value);
        *(const char **)(void *)at = text;
        return CT_OK;
    }
    if (o->type == SETTING) return setting(c, where, text);
    if (o->type == SEED) {
        char *end;
        errno = 0;
        unsigned long long seed = strtoull(text, &end, 10);
        if (*text < '0' || *text > '9' || *end || errno)
            return bad(c, where, text, "a whole number from 0 to 18446744073709551615");
        *(uint64_t *)(void *)at = seed;
        return CT_OK;
    }
    ct_status s = number(c, o, where, text, &v);
    if (s) return s;
    if (o->type == WHOLE)
        *(int64_t *)(void *)at = (int64_t)v;
    else
        *(double *)(void *)at = v;
    return CT_OK;
}

static const option *find(const cli *c, const char *name, size_t length) {
    for (const option *o = cli_options; o->name; o++)
        if (strlen(o->name) == length && memcmp(o->name, name, length) == 0 && cli_takes(o, c->verb))
            return o;
    return NULL;
}

static ct_status unknown(cli *c, const char *text) {
    const char *names[64], *near;
    size_t n = 0;
    char word[100];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(text + strspn(text, "-"), "="),
             text + strspn(text, "-"));
    for (const option *o = cli_options; o->name && n < 64; o++)
        if (cli_takes(o, c->verb)) names[n++] = o->name;
    near = ct_nearest(word, names, n);
    return ct_fail(&c->e, CT_EUSAGE,
                   "%.100s: no such option of `cotan%s%s`; wanted %s%s; see cotan %s --help", text,
                   c->verb ? " " : "", c->verb ? c->verb : "", near ? "--" : "one of its options",
                   near ? near : "", c->verb ? c->verb : "");
}

static ct_status long_option(cli *c, char **argv, int *i, int argc) {
    const char *text = argv[*i] + 2, *equal = strchr(text, '='), *value = equal ? equal + 1 : NULL;
    const option *o = find(c, text, equal ? (size_t)(equal - text) : strlen(text));
    char where[60];
    if (!o) return unknown(c, argv[*i]);
    snprintf(where, sizeof where, "--%s", o->name);
    if (!o->value && value) return bad(c, where, value, "no value: it is a switch");
    if (o->value && !value && *i + 1 < argc) value = argv[++*i];
    if (o->value && !value)
        return ct_fail(&c->e, CT_EUSAGE, "%s: nothing follows; wanted %s", where, o->value);
    return cli_set(c, o, where, value);
}

static ct_status short_option(cli *c, char **argv, int *i, int argc) {
    const char *text = argv[*i];
    char where[3] = {'-', text[1], 0};
    for (const option *o = cli_options; o->name; o++) {
        if (o->letter != text[1] || !cli_takes(o, c->verb)) continue;
        if (!o->value) return text[2] ? unknown(c, text) : cli_set(c, o, where, NULL);
        const char *value = text[2] ? text + 2 : *i + 1 < argc ? argv[++*i] : NULL;
        if (!value) return ct_fail(&c->e, CT_EUSAGE, "%s: nothing follows; wanted %s", where, o->value);
        return cli_set(c, o, where, value);
    }
    return unknown(c, text);
}

ct_status cli_parse(cli *c, int argc, char **argv) {
    ct_status s = CT_OK;
    int plain = 0;
    for (int i = 1; !s && i < argc; i++) {
        const char *text = argv[i];
        if (!plain && strcmp(text, "--") == 0)
            plain = 1;
        else if (!plain && strncmp(text, "--", 2) == 0)
            s = long_option(c, argv, &i, argc);
        else if (!plain && text[0] == '-' && text[1])
            s = short_option(c, argv, &i, argc);
        else if (!c->verb)
            c->verb = text;
        else if (c->words == MAX_WORDS)
            s = ct_fail(&c->e, CT_EUSAGE, "%.100s: more than %d words; call the command several times", text,
                        MAX_WORDS);
        else
            c->word[c->words++] = text;
        if (!s && c->verb == text && !cli_verb(text)) return CT_OK; /* main says so */
    }
    return s;
}
