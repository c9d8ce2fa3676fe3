/* options.c: the table of all options, and giving one its value. --help, man pages and completion read it too. */
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { SWITCH, TEXT, WHOLE, REAL, RATE, SEED, DURATION, SIZE, SETTING };
#define AT(field) offsetof(cli, field)
#define ANY 9e15 /* as a maximum: no limit of its own */

const option cli_options[] = {
    {"output", 'o', "FILE", TEXT, AT(output), 0, 0, NULL, " train pca predict ",
     "the model to write, such as m.safetensors; m.run/ stands beside it (predict --layer: an .npy file)"},
    /* the net */
    {"model", 0, "PRESET", TEXT, AT(model), 0, 0, "presets", " train ",
     "a built-in net: {}; default: by the size and number of the pictures"},
    {"net", 0, "FILE", TEXT, AT(net), 0, 0, NULL, " train ", "a net of your own as text"},
    {"set", 0, "NAME=VALUE", SETTING, 0, 0, 0, NULL, " train plan ",
     "another value for a `param` of the net; repeat for more"},
    {"init", 0, "MODEL", TEXT, AT(init), 0, 0, NULL, " train ",
     "weights to begin with, of any safetensors file; a last layer for other classes begins anew"},
    {"freeze", 0, "PATTERN", TEXT, AT(freeze), 0, 0, NULL, " train ",
     "layers that stay as --init has them, by name: conv1, or \"bn1, layer*\""},
    /* the data */
    {"validate", 0, "DIR", TEXT, AT(validate), 0, 0, NULL, " train ",
     "the validation part; default: a tenth of the training part, by hash"},
    {"labels", 0, "FILE", TEXT, AT(labels), 0, 0, NULL, " train ",
     "the classes' names for idx files, one a line, the first of label 0"},
    {"transform", 0, "LIST", TEXT, AT(transform), 0, 0, NULL, " train pca ",
     "steps for pictures, such as \"resize 64x64, flip 0.5, normalize mean=M std=S\", or @FILE with a step a "
     "line; "
     "docs/transforms.md lists them"},
    {"follow-links", 0, NULL, SWITCH, AT(follow_links), 0, 0, NULL, " train inspect pca ",
     "read symbolic links in a folder of pictures"},
    {"background", 0, "COLOUR", TEXT, AT(background), 0, 0, NULL, " train ",
     "behind transparent pictures: white, grey, black or #rrggbb; default white"},
    {"allow-broken", 0, NULL, SWITCH, AT(allow_broken), 0, 0, NULL, " train evaluate pca ",
     "any number of pictures may be broken; default: 1 %"},
    {"limit", 0, "N", WHOLE, AT(limit), 1, ANY, NULL, " train evaluate predict ",
     "only N records: the first; of folders and lists in train and evaluate those whose paths have the least "
     "hashes"},
    {"part", 0, "NAME", TEXT, AT(part), 0, 0, "train|validation|test|all", " evaluate ",
     "which records: {}; default test"},
    /* the training */
    {"epochs", 0, "N", WHOLE, AT(epochs), 1, 1e6, NULL, " train ",
     "passes over the training part; default: 200,000 pictures in all, 10 to 60 epochs"},
    {"batch", 0, "N", WHOLE, AT(batch), 1, 1 << 24, NULL, " train plan pca ",
     "records a step; default 64, halved only where --memory is too little (plan: 1, with --train 64; pca: "
     "records at a time, 256)"},
    {"optimizer", 0, "NAME", TEXT, AT(optimizer), 0, 0, "adam|adamw|sgd|nadam|rmsprop|adagrad|adadelta|lion",
     " train ", "{}; default adamw with lr 0.002 and weight decay 0.05"},
    {"lr", 0, "X", RATE, AT(lr), 1e-30, 1e30, NULL, " train ",
     "learning rate, or auto: found by a range test (Smith 2015) whose curve is lr.jsonl in the run; "
     "default: the "
     "optimizer's"},
    {"schedule", 0, "NAME", TEXT, AT(schedule), 0, 0,
     "constant|step|cosine|one_cycle|inverse_sqrt|plateau|linear", " train ",
     "of the learning rate: {}; default one_cycle"},
    {"warmup", 0, "N", WHOLE, AT(warmup), 1, ANY, NULL, " train ",
     "steps over which the learning rate rises at the begin; default: 0.3 of all with one_cycle, else none"},
    {"momentum", 0, "X", REAL, AT(momentum), 0, 1, NULL, " train ",
     "of sgd and rmsprop; default 0.9 with sgd, none with rmsprop"},
    {"weight-decay", 0, "X", REAL, AT(weight_decay), 0, 1e9, NULL, " train ",
     "shrinks weights (L2; decoupled with adamw and lion)"},
    {"nonfinite", 0, "WHAT", TEXT, AT(nonfinite), 0, 0, "stop|skip|rollback", " train ",
     "when a loss or gradient is not finite: {}; rollback goes to the end of the last epoch, at half the "
     "learning "
     "rate; default stop"},
    {"clip", 0, "X", REAL, AT(clip), 0, 1e30, NULL, " train ", "the greatest global norm of the gradient"},
    {"ema", 0, "DECAY", REAL, AT(ema), 0, 1, NULL, " train ",
     "keep an exponential moving average of the weights; default: over a thirtieth of the steps; 0: none"},
    {"label-smoothing", 0, "X", REAL, AT(label_smoothing), 0, 1, NULL, " train ",
     "share of the target spread over all classes; default 0.1"},
    {"patience", 0, "N", WHOLE, AT(patience), 0, 1e6, NULL, " train ",
     "stop after N epochs without a better validation loss; default: half of them, at least 10; 0: never"},
    {"class-weights", 0, NULL, SWITCH, AT(class_weights), 0, 0, NULL, " train ",
     "rare classes count as much as frequent ones in the loss"},
    {"seed", 0, "N", SEED, AT(seed), 0, 0, NULL, " train check inspect pca ",
     "of every random choice; default 0"},
    {"time-limit", 0, "TIME", DURATION, AT(time_limit), 1e-3, 1e9, NULL, " train ",
     "90s, 10m, 2h: the model is written by then; the number of steps is fixed before the first"},
    {"memory", 0, "SIZE", SIZE, AT(memory), 1, ANY, NULL, " train ",
     "512M, 2G: the process takes no more; 128M or more; default: no bound"},
    {"steps", 0, "N", WHOLE, AT(steps), 1, ANY, NULL, " train ",
     "steps in all, as a time limit fixed them; default: epochs times batches"},
    {"stop-at", 0, "N", WHOLE, AT(stop_at), 1, ANY, NULL, " train ",
     "end after step N of them, where a time limit cut the run short"},
    {"doctor", 0, "WHEN", TEXT, AT(doctor), 0, 0, "on|off", " train ",
     "look for dead ReLUs, vanishing gradients, a wrong learning rate and the like: {}; default on; it "
     "changes no bit "
     "of the model"},
    /* the run */
    {"report", 0, "FILE", TEXT, AT(report), 0, 0, NULL, " train ",
     "the page of the run; default report.html in m.run/; none: no page"},
    {"tensorboard", 0, "DIR", TEXT, AT(tensorboard), 0, 0, NULL, " train ",
     "write the curves there as an event file for TensorBoard"},
    {"resume", 0, NULL, SWITCH, AT(resume), 0, 0, NULL, " train ", "go on where the run stopped"},
    {"force", 0, NULL, SWITCH, AT(force), 0, 0, NULL, " train pca predict ",
     "begin anew over an existing output"},
    {"strict", 0, NULL, SWITCH, AT(strict), 0, 0, NULL, " train evaluate predict ",
     "a broken picture, a damaged checkpoint, or weights that are not finite, are an error, not a note"},
    {"dry-run", 0, NULL, SWITCH, AT(dry_run), 0, 0, NULL, " train ",
     "show what would be done, write nothing"},
    {"config", 0, "FILE", TEXT, AT(config), 0, 0, NULL, " train ",
     "options from a JSON file, such as a run's config.json; those on the command line win"},
    {"checkpoint-every", 0, "N", WHOLE, AT(checkpoint_every), 1, 1e9, NULL, " train ",
     "steps between checkpoints; default 200"},
    {"threads", 0, "N", WHOLE, AT(threads), 1, 4096, NULL, " train evaluate predict plan bench inspect pca ",
     "default: the cores allowed (bench: 1); changes no result"},
    /* principal components */
    {"components", 'k', "K", WHOLE, AT(components), 1, ANY, NULL, " pca ", "how many to keep; default all"},
    {"variance", 0, "SHARE", REAL, AT(variance), 0, 1, NULL, " pca ",
     "as few as explain more than this share of the variance"},
    {"target", 0, "NAME", TEXT, AT(target), 0, 0, NULL, " pca ",
     "a column that is no feature; its values colour the plot"},
    {"scale", 0, NULL, SWITCH, AT(scale), 0, 0, NULL, " pca ",
     "divide features by their standard deviation first"},
    {"whiten", 0, NULL, SWITCH, AT(whiten), 0, 0, NULL, " pca ", "scores of variance 1"},
    {"solver", 0, "NAME", TEXT, AT(solver), 0, 0, "auto|svd|covariance|randomised", " pca ",
     "{}; default auto"},
    {"incremental", 0, NULL, SWITCH, AT(incremental), 0, 0, NULL, " pca ",
     "a batch at a time in memory, for files larger than it; near the exact components, as scikit-learn's"},
    {"no-header", 0, NULL, SWITCH, AT(no_header), 0, 0, NULL, " pca predict ",
     "the first line of a CSV is a record"},
    {"delimiter", 0, "CHAR", TEXT, AT(delimiter), 0, 0, NULL, " pca predict ",
     "of a CSV, or tab; default: that of , ; and tab which its first line has most of"},
    {"metric", 0, "NAME", TEXT, AT(metric), 0, 0, "accuracy|loss", " compare ",
     "{}; default accuracy where it can be had"},
    {"require-better", 0, NULL, SWITCH, AT(require_better), 0, 0, NULL, " compare ",
     "exit status 1 unless the second run is better"},
    /* what is shown */
    {"top", 0, "K", WHOLE, AT(top), 1, 1e6, NULL, " predict evaluate ",
     "the K most probable classes; default 1 (evaluate: right among the K most probable; 5. With --similar: "
     "the K "
     "nearest; 5)"},
    {"unsure", 0, "P", REAL, AT(unsure), 0, 1, NULL, " predict ",
     "mark pictures whose label has a probability under P"},
    {"coverage", 0, "P", REAL, AT(coverage), 1e-6, 0.999999, NULL, " predict evaluate ",
     "sets of labels that hold the right one with probability P, such as 0.9"},
    {"layer", 0, "NAME", TEXT, AT(layer), 0, 0, NULL, " predict ",
     "a layer's output instead of labels, as CSV, with --json as objects, with -o as .npy"},
    {"similar", 0, "DIR", TEXT, AT(similar), 0, 0, NULL, " predict ",
     "the pictures of DIR nearest to each FILE instead of labels"},
    {"paths", 0, "FILE", TEXT, AT(paths), 0, 0, NULL, " predict ",
     "also the pictures that FILE lists, a path a line (or ended by NUL bytes); - is standard input"},
    {"flat", 0, NULL, SWITCH, AT(flat), 0, 0, NULL, " inspect ",
     "the net alone, with defs, loops and params written out"},
    {"input", 0, "SHAPE", TEXT, AT(input), 0, 0, NULL, " plan ",
     "for a preset or a net: the picture's shape, such as 3x32x32; default 1x28x28"},
    {"classes", 0, "N", WHOLE, AT(classes), 1, 1e9, NULL, " plan ",
     "for a preset or a net: classes; default 10"},
    {"train", 0, NULL, SWITCH, AT(train), 0, 0, NULL, " plan ",
     "the plan of a training step instead of a prediction"},
    {"dot", 0, NULL, SWITCH, AT(dot), 0, 0, NULL, " plan ", "the graph as Graphviz dot"},
    {"repeats", 0, "N", WHOLE, AT(repeats), 1, 1000, NULL, " plan ", "runs to measure; default 20"},
    {"seconds", 0, "S", REAL, AT(seconds), 1e-3, 1e6, NULL, " bench ",
     "length of each of five windows; default 0.5"},
    {"weights", 0, "FILE", TEXT, AT(weights), 0, 0, NULL, " bench ",
     "with --gradients or --losses: weights and batches from a safetensors file"},
    {"gradients", 0, "FILE", TEXT, AT(gradients), 0, 0, NULL, " bench ",
     "write the loss and all gradients at --weights there, measure nothing"},
    {"losses", 0, "FILE", TEXT, AT(losses), 0, 0, NULL, " bench ",
     "write the losses of training freely from --weights on its batches there, measure nothing"},
    {"json", 0, NULL, SWITCH, AT(json), 0, 0, NULL,
     " train evaluate predict inspect plan check bench presets pca compare ",
     "results as JSON on standard output"},
    {"quiet", 'q', NULL, SWITCH, AT(quiet), 0, 0, NULL, " train check pca ",
     "nothing on standard error but errors"},
    {"verbose", 'v', NULL, SWITCH, AT(verbose), 0, 0, NULL, " ",
     "with --version: CPU features, libraries, threads"},
    {"version", 0, NULL, SWITCH, AT(version), 0, 0, NULL, " ", "the version"},
    {"help", 'h', NULL, SWITCH, AT(help), 0, 0, NULL, NULL, "this text"},
    {0},
};
_Static_assert(sizeof cli_options / sizeof *cli_options <= MAX_OPTIONS,
               "cli.given has a place for every option");

int cli_takes(const option *o, const char *verb_name) {
    char key[40];
    if (!o->verbs) return 1;
    if (!verb_name) return strcmp(o->verbs, " ") == 0;
    snprintf(key, sizeof key, " %s ", verb_name);
    return strstr(o->verbs, key) != NULL;
}

int cli_given(const cli *c, const char *name) {
    for (const option *o = cli_options; o->name; o++)
        if (strcmp(o->name, name) == 0) return c->given[o - cli_options] != NULL;
    return 0;
}

const char *cli_choice(const option *o, int32_t k, char out[64]) {
    const char *at = o->choices;
    if (at && strcmp(at, "presets") == 0) return ct_preset_name(k);
    for (; at && k > 0; k--) at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL;
    if (!at) return NULL;
    snprintf(out, 64, "%.*s", (int)strcspn(at, "|"), at);
    return out;
}

/* ---- one value ---- */

static ct_status bad(cli *c, const char *where, const char *text, const char *wanted) {
    return ct_fail(&c->e, CT_EUSAGE, "%s: %.200s; wanted %s; see cotan %s --help", where,
                   *text ? text : "an empty text", wanted, c->verb ? c->verb : "");
}

static void range_text(const option *o, char out[120]) {
    const char *kind = o->type == WHOLE ? "a whole number" : "a number";
    if (o->max >= ANY && o->type == WHOLE)
        snprintf(out, 120, "%s, %.0f or more", kind, o->min);
    else if (o->type == WHOLE)
        snprintf(out, 120, "%s from %.0f to %.0f", kind, o->min, o->max);
    else
        snprintf(out, 120, "%s from %.9g to %.9g", kind, o->min, o->max);
}

/* 90s, 10m, 2h, or seconds. */
static int duration(const char *text, double *out) {
    char digits[64];
    size_t n = strlen(text);
    double unit = 1;
    if (n == 0 || n >= sizeof digits) return 0;
    if (strchr("smh", text[n - 1])) unit = text[--n] == 's' ? 1 : text[n] == 'm' ? 60 : 3600;
    memcpy(digits, text, n);
    digits[n] = '\0';
    if (!ct_parse_number(digits, out)) return 0;
    *out *= unit;
    return 1;
}

/* 512M, 2G, 100k, or bytes. */
static int size(const char *text, int64_t *out) {
    static const char units[] = "kMGT";
    char digits[32];
    size_t n = strlen(text);
    if (n == 0 || n >= sizeof digits) return 0;
    const char *unit = strchr(units, text[n - 1]);
    memcpy(digits, text, n + 1);
    if (unit) digits[n - 1] = '\0';
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (!ct_parse_integer(digits, out) || *out < 0 || *out > INT64_MAX >> shift) return 0;
    *out <<= shift;
    return 1;
}

static ct_status number(cli *c, const option *o, const char *where, const char *text) {
    double v = 0;
    int64_t whole = 0;
    char wanted[120], *at = (char *)c + o->offset;
    int is_whole = o->type == WHOLE || o->type == SIZE;
    if (o->type == RATE && strcmp(text, "auto") == 0) return CT_OK; /* by cli.given */
    int ok = o->type == WHOLE                     ? ct_parse_integer(text, &whole)
             : o->type == SIZE                    ? size(text, &whole)
             : o->type == REAL || o->type == RATE ? ct_parse_number(text, &v)
                                                  : duration(text, &v);
    if (!ok && o->type == DURATION) return bad(c, where, text, "a time such as 90s, 10m or 2h");
    if (!ok && o->type == SIZE) return bad(c, where, text, "a size such as 512M or 2G");
    if (is_whole) v = (double)whole;
    range_text(o, wanted);
    if (!ok || v < o->min || v > o->max) return bad(c, where, text, wanted);
    if (is_whole)
        *(int64_t *)(void *)at = whole;
    else
        *(double *)(void *)at = v;
    return CT_OK;
}

static ct_status seed(cli *c, const char *where, const char *text, uint64_t *out) {
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno)
        return bad(c, where, text, "a whole number from 0 to 18446744073709551615");
    *out = v;
    return CT_OK;
}

static ct_status setting(cli *c, const char *where, const char *text) {
    const char *equal = strchr(text, '=');
    if (!equal || equal == text || !equal[1]) return bad(c, where, text, "NAME=VALUE");
    if (c->n_set == MAX_SETS) return bad(c, where, text, "at most 64 settings");
    for (int32_t i = 0; i < c->n_set; i++)
        if (strncmp(c->set[i].name, text, (size_t)(equal - text)) == 0 && !c->set[i].name[equal - text])
            return bad(c, where, text, "each NAME once");
    char *name = ct_arena_text(&c->arena, text);
    if (!name) return ct_fail(&c->e, CT_ELIMIT, "%s: out of memory", where);
    name[equal - text] = 0;
    c->set[c->n_set++] = (ct_setting){name, name + (equal - text) + 1};
    return CT_OK;
}

static ct_status choice(cli *c, const option *o, const char *where, const char *text) {
    char name[64][64], one[64];
    const char *names[64], *k;
    int32_t n = 0;
    ct_text all = {0};
    for (; n < 64 && (k = cli_choice(o, n, one)); n++) {
        snprintf(name[n], sizeof *name, "%s", k);
        names[n] = name[n];
        if (strcmp(k, text) == 0) break;
        ct_text_format(&all, "%s%s", n ? ", " : "", k);
    }
    int found = n < 64 && k != NULL;
    const char *near = found ? NULL : ct_nearest(text, names, (size_t)n);
    if (!found)
        ct_fail(&c->e, CT_EUSAGE, "%s: %.200s; wanted one of %s; %s%s", where, text,
                all.data ? all.data : "none", near ? "nearest is " : "choose one", near ? near : "");
    ct_text_free(&all);
    return found ? CT_OK : CT_EUSAGE;
}

ct_status cli_set(cli *c, const option *o, const char *where, const char *text) {
    char *at = (char *)c + o->offset;
    ct_status s = CT_OK;
    if (c->given[o - cli_options] && o->type != SETTING)
        return ct_fail(&c->e, CT_EUSAGE, "%s: given twice; wanted once; leave one out", where);
    if (o->type == SWITCH) {
        *(int32_t *)(void *)at = 1;
    } else if (o->type == TEXT) {
        if (!*text) return bad(c, where, "an empty text", o->value);
        if (o->choices) s = choice(c, o, where, text);
        *(const char **)(void *)at = text;
    } else if (o->type == SETTING) {
        s = setting(c, where, text);
    } else if (o->type == SEED) {
        s = seed(c, where, text, (uint64_t *)(void *)at);
    } else {
        s = number(c, o, where, text);
    }
    if (!s) c->given[o - cli_options] = text && o->type != SETTING ? text : "";
    return s;
}
