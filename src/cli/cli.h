/* cli.h: the command. Two tables drive it: the verbs (verbs.c) and the options (options.c); parsing, --help, the
 * man pages and completion are made from them. One file per verb does the work through the public headers.
 * Results go to stdout, all else to stderr. */
#ifndef CT_CLI_CLI_H
#define CT_CLI_CLI_H

#include <jansson.h>
#include <stdio.h>

#include "cotan/task.h"

#define MAX_SETS 64
#define MAX_OPTIONS 96

/* What stands on the screen while a training runs. */
typedef struct screen {
    int32_t known, terminal, colours, utf8; /* of standard error; known: the others are set */
    int32_t titled;                         /* the head of the table of epochs has been printed */
    int32_t live;                           /* the live line stands there */
    int64_t steps;                          /* in `loss` */
    double loss, shown;                     /* shown: when the live line was last drawn */
    const char *busy;                       /* what is done beside the steps; NULL: nothing yet */
    double began;                           /* when that began */
} screen;

/* Everything that the words say. Zero is "not given" until `given` says otherwise. */
typedef struct cli {
    const char *program; /* as it was called, for the commands that are shown next */
    const char *verb;
    const char **word; /* positional words after the verb: [words] */
    int32_t words;
    int32_t n_set;
    ct_setting set[MAX_SETS];
    const char *output, *model, *net, *validate, *init, *transform, *background, *optimizer, *schedule,
        *nonfinite, *config, *part, *input, *weights, *gradients, *losses, *target, *solver, *delimiter,
        *metric, *layer, *similar, *paths, *report, *doctor, *tensorboard, *freeze, *labels;
    int64_t epochs, batch, limit, threads, checkpoint_every, patience, top, classes, repeats, steps, stop_at,
        components, memory, warmup;
    uint64_t seed;
    double lr, time_limit, weight_decay, clip, ema, label_smoothing, seconds, variance, unsure, coverage,
        momentum;
    int32_t resume, force, dry_run, strict, follow_links, allow_broken, json, quiet, train, dot, flat,
        verbose, help, version, debug, trap, whiten, scale, incremental, no_header, require_better,
        class_weights;
    const char *given[MAX_OPTIONS];        /* by row of cli_options: the value as written, "" for a switch */
    json_t *config_file;                   /* owns the texts that --config gave */
    const char *config_net, *config_model; /* the net's text in it and its name, or NULL */
    const char *names;       /* of the classes: what --labels holds, or --config has; NULL: none */
    const char *config_data; /* where the data was, or NULL */
    int64_t broken;          /* pictures that were named instead of predicted */
    ct_arena arena;          /* of texts */
    screen screen;
    ct_err e;
} cli;

/* ---- verbs.c ---- */
typedef struct verb {
    const char *name, *usage, *summary;
    const char *details;  /* paragraphs, separated by an empty line */
    const char *examples; /* commands, one a line; a line of "# ..." tells about the next */
    int (*run)(cli *c);   /* the exit status */
    int32_t words_min, words_max;
} verb;
extern const verb cli_verbs[]; /* ends with a NULL name */
const verb *cli_verb(const char *name);

/* ---- options.c: errors are left in c->e ---- */
typedef struct option {
    const char *name;  /* without dashes */
    char letter;       /* short form, or 0 */
    const char *value; /* what stands for the value in help; NULL: a switch */
    int type;
    size_t offset;
    double min, max;
    const char *choices; /* "a|b|c", or "presets"; NULL: any */
    const char *verbs;   /* " train evaluate ", NULL: all, " ": none, beside no verb at all */
    const char *help;
} option;
extern const option cli_options[]; /* ends with a NULL name */
int cli_takes(const option *o, const char *verb_name);
ct_status cli_parse(cli *c, int argc, char **argv);
/* Give an option its value as text; `where` begins the error's text ("--lr", "FILE: lr"). */
ct_status cli_set(cli *c, const option *o, const char *where, const char *text);
int cli_given(const cli *c, const char *name);
ct_status cli_config(cli *c, const char *path); /* config.c */
/* The k-th choice of an option, or NULL; at most 63 bytes. */
const char *cli_choice(const option *o, int32_t k, char out[64]);

/* ---- help.c ---- */
void cli_usage(FILE *f);
void cli_help(const verb *v);
int cli_man(const char *verb_name); /* NULL: cotan(1); the exit status, 2: no such verb */
int cli_completion(void);

/* ---- print.c ---- */
int cli_exit_status(int32_t status);
int cli_fail(cli *c);                               /* print c->e; the exit status */
const char *cli_time(double seconds, char out[32]); /* 1.4 s, 2 min 05 s */
json_t *cli_path(const char *path);                 /* what is no UTF-8 in it as \xNN */
/* On stdout, for people: texts of files may hold anything, so control bytes and what is no UTF-8 become \xNN; with
 * `lines` line ends stay. */
void cli_print(const char *text, int lines);
json_t *cli_number(double v);         /* NaN and infinity: null */
void cli_json(json_t *v);             /* one line on stdout; takes the reference */
json_t *cli_shape(const ct_shape *s); /* [64,32,3,3] */
json_t *cli_score(const ct_score *s); /* the keys of evaluate --json */
/* Append a word as the shell reads it back. */
void cli_quote(ct_text *t, const char *word);

/* ---- open.c ---- */
/* Threads, seed, the debugging of CT_DEBUG and CT_TRAP, and files: "-" is standard input. */
ct_options cli_context(const cli *c);
ct_status cli_model(cli *c, const char *path,
                    ct_model **out); /* with a note on weights that are not finite */
/* After an error in reading `path` as a model: the same, or that the file is a picture or idx file. Its status. */
ct_status cli_no_model(cli *c, const char *path);
const ct_files *cli_files(void);
/* CT_EUSAGE for the first of these options (names, ended by NULL) that was given: it would do nothing, for `name` is what
 * `why` says, "...; wanted ...". */
ct_status cli_idle(cli *c, const char *const *options, const char *name, const char *why);
/* The file that an option names; its error names the option too. As ct_file_read with NULL: freed by ct_delete. */
ct_status cli_read(cli *c, const char *name, const char *path, uint64_t limit, void **data, uint64_t *bytes);
ct_status cli_output(cli *c);    /* CT_EUSAGE for -o -: a model is no stream */
ct_status cli_transform(cli *c); /* --transform @FILE: the list of steps in it */
ct_status cli_labels(cli *c);    /* --labels FILE: its text, in c->names */

/* ---- screen.c: what a training shows ---- */
void cli_screen(void *user, const ct_event *e); /* user: a cli */
void cli_screen_clear(screen *s);               /* take the live line away */
/* "  key          text", folded where a terminal is too narrow. */
void cli_screen_fact(cli *c, const char *key, const char *format, ...) CT_PRINTF(3, 4);

/* ---- signals, main.c ---- */
extern volatile int32_t cli_stop;
extern volatile int cli_signal;

/* ---- audit.c ---- */
int cli_is_data(const char *path); /* a folder, or a list of pictures */
int cli_audit(cli *c, const char *path);

int cli_train(cli *c);
int cli_evaluate(cli *c);
int cli_predict(cli *c);
int cli_inspect(cli *c);
int cli_plan(cli *c);
int cli_check(cli *c);
int cli_bench(cli *c);
int cli_presets(cli *c);
int cli_pca(cli *c);
int cli_compare(cli *c);
ct_status cli_predict_pca(cli *c); /* of a model of cotan pca */
/* ---- features.c, similar.c: predict --layer, --similar ---- */
ct_status cli_features(cli *c, ct_model *m, const char *const *path, int64_t n);
ct_status cli_similar(cli *c, ct_model *m, const char *const *path, int64_t n);
/* predict.c: the beginning of a line about a picture, its path and, of many records, the number; and of an error. */
void cli_picture(const cli *c, const char *path, int64_t index, int file);
void cli_picture_error(cli *c, const char *path, int64_t index, const char *error);

#endif
