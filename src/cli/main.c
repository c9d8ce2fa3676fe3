/* main.c: the table of verbs, the version, signals, and the way from words to a verb. */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

volatile int32_t cli_stop;
volatile int cli_signal;

const verb cli_verbs[] = {
    {"train", "image DIR -o MODEL [options]", "train a net on pictures",
     "Trains a net on the idx files of DIR (train-images-idx3-ubyte[.gz] and train-labels-idx1-ubyte[.gz], "
     "as MNIST's) and writes one file that\n"
     "predicts, evaluates and embeds. The validation part, a tenth by hash, chooses the best epoch; the test "
     "part is read by `cotan evaluate` alone.\n"
     "The first Ctrl-C saves and says how to go on; --resume takes every option from the run.",
     cli_train, 2, 2},
    {"evaluate", "MODEL DIR [options]", "score a model on data",
     "Scores the model on the test part of DIR, or another part: accuracy with its 95 % interval beside the "
     "naive baseline, and more.",
     cli_evaluate, 2, 2},
    {"predict", "MODEL FILE ... [options]", "name what pictures show",
     "One line a picture of idx files: record, label, probability, separated by tabs.", cli_predict, 2,
     MAX_WORDS},
    {"inspect", "MODEL", "what a model file holds",
     "Shows a model's task, net, parameters, recipe and scores; the tensors of any safetensors file.",
     cli_inspect, 1, 1},
    {"plan", "MODEL|PRESET|NET [options]", "what runs, step by step",
     "Shows each step of a plan: op, shape, layout, implementation, bytes, milliseconds, GFLOP/s, measured "
     "here.",
     cli_plan, 1, 1},
    {"check", "[OP] [options]", "test every op on this machine",
     "Runs the cases that every op carries: values against loops of doubles, gradients against differences, "
     "cut against whole batches, threads, layouts.",
     cli_check, 0, 1},
    {"bench", "[NAME ...] [options]", "measure this machine",
     "Times training steps and predictions of standard nets: mlp-small, mlp, cnn, resnet20, alexnet, gpt "
     "(default: all).",
     cli_bench, 0, 16},
    {"presets", "[NAME]", "the built-in nets",
     "Lists the built-in nets, or prints one as text to begin your own with.", cli_presets, 0, 1},
    {0},
};

const verb *cli_verb(const char *name) {
    for (const verb *v = cli_verbs; v->name; v++)
        if (name && strcmp(v->name, name) == 0) return v;
    return NULL;
}

/* The first signal asks the training to save and stop; the second ends the process. */
static void on_signal(int number) {
    static const char text[] = "\ncotan: stopping after this step; once more to stop at once\n";
    cli_signal = number;
    cli_stop = 1;
    signal(number, SIG_DFL);
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
}

static int version(const cli *c) {
    printf("cotan %s\n", CT_VERSION);
    if (!c->verbose) return 0;
    ct_ctx *x = ct_open(NULL);
    printf("instructions  %s\nkernels       %s\nthreads       %d\n", ct_cpu_features(), ct_kernel_library(),
           x ? ct_threads(x) : 0);
    ct_close(x);
    return 0;
}

static int whole_number(const char *name) {
    const char *text = getenv(name);
    return text && *text >= '0' && *text <= '9' && !text[1] ? *text - '0' : 0;
}

static char *command_of(int argc, char **argv) {
    size_t bytes = 1;
    for (int i = 0; i < argc; i++) bytes += strlen(argv[i]) + 3;
    char *text = calloc(bytes, 1), *p = text;
    for (int i = 0; text && i < argc; i++) {
        int quote = argv[i][strcspn(argv[i], " \t\n\"'$*?;&|<>()")] != 0 || !argv[i][0];
        p += snprintf(p, bytes - (size_t)(p - text), quote ? "%s'%s'" : "%s%s", i ? " " : "",
                      i ? argv[i] : "cotan");
    }
    return text;
}

static int wrong_verb(cli *c) {
    const char *names[16];
    size_t n = 0;
    for (const verb *v = cli_verbs; v->name; v++) names[n++] = v->name;
    const char *near = ct_nearest(c->verb, names, n);
    ct_fail(&c->e, CT_EUSAGE, "%.100s: no such verb; wanted %s; see cotan --help", c->verb,
            near ? near : "one of those of cotan --help");
    return cli_fail(c);
}

static int dispatch(cli *c, ct_status status) {
    const verb *v = cli_verb(c->verb);
    if (c->verb && !v && strcmp(c->verb, "man") == 0) return cli_man();
    if (c->verb && !v && strcmp(c->verb, "completion") == 0) return cli_completion();
    if (c->verb && !v) return wrong_verb(c);
    if (status) return cli_fail(c);
    if (c->version) return version(c);
    if (!v && !c->help) {
        cli_usage(stderr);
        return 2;
    }
    if (c->help) {
        if (v)
            cli_help(v);
        else
            cli_usage(stdout);
        return 0;
    }
    if (c->words < v->words_min || c->words > v->words_max) {
        ct_fail(&c->e, CT_EUSAGE, "cotan %s: %d words follow; wanted cotan %s %s", v->name, c->words, v->name,
                v->usage);
        return cli_fail(c);
    }
    return v->run(c);
}

int main(int argc, char **argv) {
    cli c = {.debug = whole_number("CT_DEBUG"), .trap = whole_number("CT_TRAP")};
    struct sigaction stop = {.sa_handler = on_signal};
    ct_status parsed = cli_parse(&c, argc, argv);
    if (c.verb && strcmp(c.verb, "train") == 0) {
        sigaction(SIGINT, &stop, NULL);
        sigaction(SIGTERM, &stop, NULL);
    }
    c.command = command_of(argc, argv);
    int code = dispatch(&c, parsed);
    if ((fflush(stdout) || ferror(stdout)) && code == 0) {
        fprintf(stderr, "cotan: error: standard output: cannot be written\n");
        code = 4;
    }
    free(c.command);
    for (int32_t i = 0; i < c.n_set; i++) free((void *)(uintptr_t)c.set[i].name);
    json_decref(c.config_file);
    return code;
}
