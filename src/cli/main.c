/* main.c: the way from words to a verb; the version; signals. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

volatile int32_t cli_stop;
volatile int cli_signal;

/* The first signal asks the training to save and stop; the second, whichever it is, ends the process. */
static void on_signal(int number) {
    static const char text[] = "\ncotan: stopping after this step; once more to stop at once\n";
    if (cli_stop) {
        signal(number, SIG_DFL);
        raise(number); /* arrives when this handler returns */
        return;
    }
    cli_signal = number;
    cli_stop = 1;
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
}

static void catch_signals(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction stop = {.sa_handler = on_signal}, before;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sigaction(numbers[i], NULL, &before);
        if (numbers[i] != SIGHUP || before.sa_handler != SIG_IGN) /* nohup */
            sigaction(numbers[i], &stop, NULL);
    }
}

/* A standard stream that is closed would be the next file that is opened: a result printed into a checkpoint. In its
 * place comes one that cannot be written. Writes that the system refuses by a signal (a pipe without reader, a limit
 * of file sizes) are errors like others. */
static void mend_streams(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0) (void)!open("/dev/null", O_RDONLY);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

static int version(const cli *c) {
    ct_ctx *x = c->verbose ? ct_open(NULL) : NULL;
    printf("cotan %s\n", CT_VERSION);
    if (x)
        printf("CPU features  %s\nkernels       %s, and our own\nthreads       %d\n", ct_cpu_features(),
               ct_kernel_library(), ct_threads(x));
    ct_close(x);
    return 0;
}

static int whole_number(const char *name) {
    const char *text = getenv(name);
    return text && *text >= '0' && *text <= '9' && !text[1] ? *text - '0' : 0;
}

static int wrong_verb(cli *c, const char *word) {
    const char *names[32];
    size_t n = 0;
    ct_text all = {0};
    for (const verb *v = cli_verbs; v->name; v++) {
        ct_text_format(&all, "%s%s", n ? ", " : "", v->name);
        names[n++] = v->name;
    }
    const char *near = ct_nearest(word, names, n);
    ct_fail(&c->e, CT_EUSAGE, "%.100s: no such verb; wanted %s%s; see cotan --help", word,
            near ? "" : "one of ", near ? near : all.data);
    ct_text_free(&all);
    return cli_fail(c);
}

/* `cotan man [VERB]`, `cotan completion` and `cotan help [VERB]`: the pages themselves, no verbs of the table. */
static int page(cli *c, int *code) {
    const char *of = c->words ? c->word[0] : NULL;
    if (strcmp(c->verb, "completion") == 0) return *code = cli_completion(), 1;
    if (strcmp(c->verb, "man") != 0 && strcmp(c->verb, "help") != 0) return 0;
    if (of && !cli_verb(of))
        *code = wrong_verb(c, of);
    else if (c->verb[0] == 'm')
        *code = cli_man(of);
    else if (of)
        cli_help(cli_verb(of));
    else
        cli_usage(stdout);
    return 1;
}

static int dispatch(cli *c, ct_status status) {
    const verb *v = cli_verb(c->verb);
    int code = 0;
    if (c->verb && !v && page(c, &code)) return code;
    if (c->verb && !v) return wrong_verb(c, c->verb);
    if (status) return cli_fail(c);
    if (c->version) return version(c);
    if (c->help && v) {
        cli_help(v);
        return 0;
    }
    if (!v) {
        cli_usage(c->help ? stdout : stderr);
        return c->help ? 0 : 2;
    }
    if (c->words < v->words_min || c->words > v->words_max) {
        ct_fail(&c->e, CT_EUSAGE, "cotan %s: found %d word%s; wanted cotan %s %s; see cotan %s --help",
                v->name, c->words, c->words == 1 ? "" : "s", v->name, v->usage, v->name);
        return cli_fail(c);
    }
    return v->run(c);
}

/* A pipe whose reader has gone has read enough, as in cotan predict ... | head: no error to tell about. */
static int reader_left(void) {
    struct pollfd p = {.fd = STDOUT_FILENO};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0;
}

int main(int argc, char **argv) {
    cli c = {.program = argc > 0 ? argv[0] : "cotan",
             .debug = whole_number("CT_DEBUG"),
             .trap = whole_number("CT_TRAP")};
    mend_streams();
    ct_status parsed = cli_parse(&c, argc, argv);
    if (c.verb && strcmp(c.verb, "train") == 0) catch_signals();
    int code = dispatch(&c, parsed);
    if ((fflush(stdout) || ferror(stdout)) && code == 0) {
        code = cli_exit_status(CT_EIO);
        if (!reader_left())
            fprintf(stderr,
                    "cotan: error: standard output: cannot be written; wanted a place for the result; "
                    "see where it leads\n");
    }
    json_decref(c.config_file);
    ct_arena_free(&c.arena);
    return code;
}
