/* screen.c: what a training shows. Facts first; then one line that lives on a terminal (rate, loss, time
 * left) and a lasting row for each epoch, the best marked. Without a terminal only the rows are printed. */
#include <math.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

static int terminal(void) {
    static int known;
    if (!known) known = isatty(STDERR_FILENO) ? 2 : 1;
    return known == 2;
}
static const char *colour(const char *code) { return terminal() && !getenv("NO_COLOR") ? code : ""; }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void live(const ct_event *e) {
    static double shown;
    char rate[32], left[32], bar[21];
    double share = e->steps > 0 ? (double)e->step / (double)e->steps : 0;
    if (!terminal() || now() - shown < 0.1) return;
    shown = now();
    for (int i = 0; i < 20; i++) bar[i] = i < (int)(share * 20) ? '=' : i == (int)(share * 20) ? '>' : ' ';
    bar[20] = 0;
    fprintf(stderr, "\r  epoch %d/%d [%s] %3.0f %%  loss %.4f  %s/s  %s left\033[K", e->epoch, e->epochs, bar,
            share * 100, e->loss, cli_group((int64_t)e->rate, rate), cli_time(e->eta, left));
}

static void row(const ct_event *e) {
    static int titled;
    const ct_epoch *r = e->row;
    char spent[32], accuracy[32] = "       -";
    if (terminal()) fputs("\r\033[K", stderr);
    if (!titled++)
        fprintf(stderr, "\n%s  epoch     loss   validation  accuracy        lr      time%s\n",
                colour("\033[2m"), colour("\033[0m"));
    if (isfinite(r->accuracy)) snprintf(accuracy, sizeof accuracy, "%6.2f %%", r->accuracy * 100);
    fprintf(stderr, "%s%7lld  %7.4f  %11.4f  %s  %8.2e  %8s%s%s\n", r->best ? colour("\033[1m") : "",
            (long long)r->epoch, r->loss, r->validation, accuracy, r->lr, cli_time(r->seconds, spent),
            r->best ? "  best" : "", r->best ? colour("\033[0m") : "");
}

void cli_screen(void *user, const ct_event *e) {
    const cli *c = user;
    if (c->quiet) return;
    if (e->kind == CT_EVENT_FACT)
        fprintf(stderr, "  %s%-12s%s %s\n", colour("\033[2m"), e->key, colour("\033[0m"), e->text);
    else if (e->kind == CT_EVENT_STEP)
        live(e);
    else if (e->kind == CT_EVENT_EPOCH)
        row(e);
    else
        fprintf(stderr, "%s  %s\n", terminal() ? "\r\033[K" : "", e->text);
}
