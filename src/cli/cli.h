/* cli.h: the command. One table of options (options.c) drives parsing, --help, the man page and completion;
 * one file per verb does the work through the public headers. Results go to stdout, all else to stderr. */
#ifndef CT_CLI_CLI_H
#define CT_CLI_CLI_H

#include <jansson.h>
#include <stdio.h>

#include "cotan/task.h"

#define MAX_WORDS 256
#define MAX_SETS 64

/* Everything that options can say. Zero is "not given". */
typedef struct cli {
    const char *verb;
    const char *word[MAX_WORDS]; /* positional words after the verb */
    int32_t words;
    int32_t n_set;
    ct_setting set[MAX_SETS];
    const char *output, *model, *net, *validate, *init, *transform, *optimizer, *schedule, *config, *part,
        *input, *weights, *gradients;
    int64_t epochs, batch, limit, threads, checkpoint_every, patience, top, classes, repeats;
    uint64_t seed;
    double lr, time_limit, weight_decay, clip, ema, label_smoothing, seconds;
    int32_t resume, force, dry_run, json, quiet, train, dot, verbose, help, version, debug, trap;
    char *command;       /* the words of the call, for config.json */
    json_t *config_file; /* owns the texts that --config gave */
    ct_err e;
} cli;

typedef struct verb {
    const char *name, *usage, *summary, *details;
    int (*run)(cli *c); /* the exit status */
    int32_t words_min, words_max;
} verb;

extern const verb cli_verbs[]; /* ends with a NULL name */
const verb *cli_verb(const char *name);

/* options.c: errors are left in c->e. */
typedef struct option {
    const char *name;  /* without dashes */
    char letter;       /* short form, or 0 */
    const char *value; /* what stands for the value in help; NULL: a switch */
    int type;
    size_t offset;
    double min, max;
    const char *verbs; /* " train evaluate " */
    const char *help;
} option;
extern const option cli_options[]; /* ends with a NULL name */
int cli_takes(const option *o, const char *of);
ct_status cli_parse(cli *c, int argc, char **argv);
/* Give an option its value as text; `where` begins the error's text ("--lr", "FILE: lr"). */
ct_status cli_set(cli *c, const option *o, const char *where, const char *text);
ct_status cli_config(cli *c, const char *path); /* config.c */

/* help.c */
void cli_usage(FILE *f);
void cli_help(const verb *v);
int cli_man(void);
int cli_completion(void);

/* print.c */
int cli_exit_status(int32_t status);
int cli_fail(cli *c);                               /* print c->e; the exit status */
const char *cli_group(int64_t n, char out[32]);     /* 60,000 */
const char *cli_time(double seconds, char out[32]); /* 1.4 s, 2 min 05 s */
json_t *cli_number(double v);                       /* NaN and infinity: null */
void cli_json(json_t *v);                           /* one line on stdout; takes the reference */
ct_options cli_context(const cli *c);

/* screen.c: what a training shows */
void cli_screen(void *user, const ct_event *e); /* user: a cli */

/* signals, main.c */
extern volatile int32_t cli_stop;
extern volatile int cli_signal;

int cli_train(cli *c);
int cli_evaluate(cli *c);
int cli_predict(cli *c);
int cli_inspect(cli *c);
int cli_plan(cli *c);
int cli_check(cli *c);
int cli_bench(cli *c);
int cli_presets(cli *c);

#endif
