/* screen.c: what a training shows. Facts first; then one line that lives on a terminal (progress, loss, rate, time
 * left) above which every epoch leaves a row, the best so far marked. Elsewhere only facts and rows are written,
 * as plain lines. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

#define DIM "\033[2m"
#define BOLD "\033[1m"
#define GREEN "\033[1;32m"
#define YELLOW "\033[33m"
#define RESET "\033[0m"

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void look(screen *s) {
    const char *none = getenv("NO_COLOR"), *names[] = {"LC_ALL", "LC_CTYPE", "LANG"}, *locale = NULL;
    if (s->known) return;
    s->known = 1;
    s->terminal = isatty(STDERR_FILENO);
    s->colours = s->terminal && !(none && *none);
    for (int i = 0; i < 3 && !(locale && *locale); i++) locale = getenv(names[i]);
    s->utf8 = locale && (strstr(locale, "UTF-8") || strstr(locale, "utf8"));
}

static const char *colour(const screen *s, const char *code) { return s->colours ? code : ""; }

void cli_screen_clear(screen *s) {
    if (s->live) fputs("\r\033[K", stderr);
    s->live = 0;
}

static int columns(void) {
    struct winsize w;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

static void write_bar(const screen *s, double share, int width) {
    int full = (int)(share * width + 0.5);
    fputs(colour(s, GREEN), stderr);
    for (int i = 0; i < full; i++) fputs(s->utf8 ? "\u2501" : "=", stderr);
    fputs(colour(s, RESET), stderr);
    fputs(colour(s, DIM), stderr);
    for (int i = full; i < width; i++) fputs(s->utf8 ? "\u2500" : "-", stderr);
    fputs(colour(s, RESET), stderr);
}

static void head(screen *s) {
    if (s->titled++) return;
    fprintf(stderr, "\n%s  epoch  %8s  %10s  %8s  %8s  %9s%s\n", colour(s, DIM), "loss", "validation",
            "accuracy", "lr", "time", colour(s, RESET));
}

/* As much as fits into `room`: share and time left, then the loss, then the rate. */
static void tell(const screen *s, const ct_event *e, int room, char out[200]) {
    char rate[32], left[32], loss[48];
    snprintf(rate, sizeof rate, "  %s samples/s", cli_group((int64_t)e->rate, left));
    snprintf(loss, sizeof loss, "  loss %.4f", s->loss);
    cli_time(e->eta, left);
    for (int parts = 2; parts >= 0; parts--) {
        int n = snprintf(out, 200, "%3.0f %%%s%s  %s left", 100 * (double)e->step / (double)e->steps,
                         parts > 0 ? loss : "", parts > 1 ? rate : "", left);
        if (n <= room) return;
    }
    out[0] = '\0';
}

/* The loss that is shown moves with a hundredth of each step's, so that it can be read. A step that was skipped has
 * none. */
static void live(screen *s, const ct_event *e) {
    char text[200], epoch[48];
    if (isfinite(e->loss) && s->steps++)
        s->loss += (e->loss - s->loss) / (s->steps < 100 ? (double)s->steps : 100.0);
    else if (isfinite(e->loss))
        s->loss = e->loss;
    if (!s->terminal || e->steps < 1 || now() - s->shown < 0.1) return;
    s->shown = now();
    head(s);
    int room = columns() - 1 - snprintf(epoch, sizeof epoch, "  epoch %d/%d  ", e->epoch, e->epochs);
    tell(s, e, room, text);
    room -= (int)strlen(text) + 2;
    fprintf(stderr, "\r%s", epoch);
    if (room >= 8) write_bar(s, (double)e->step / (double)e->steps, room < 32 ? room : 32);
    fprintf(stderr, "%s%s\033[K", room >= 8 ? "  " : "", text);
    fflush(stderr);
    s->live = 1;
}

static void row(screen *s, const ct_event *e) {
    const ct_epoch *r = e->row;
    char spent[32], accuracy[32] = "       -";
    cli_screen_clear(s);
    head(s);
    if (isfinite(r->accuracy)) snprintf(accuracy, sizeof accuracy, "%6.2f %%", r->accuracy * 100);
    fprintf(stderr, "%s%7lld  %8.4f  %10.4f  %s  %8.2e  %9s%s%s\n", r->best ? colour(s, BOLD) : "",
            (long long)r->epoch, r->loss, r->validation, accuracy, r->lr, cli_time(r->seconds, spent),
            r->best ? "  best so far" : "", r->best ? colour(s, RESET) : "");
}

/* What the doctor found: one line; on a terminal where it does not fit, the advice below. */
static void finding(screen *s, const ct_finding *f) {
    cli_screen_clear(s);
    int folded = s->terminal && 15 + (int)strlen(f->text) + (int)strlen(f->advice) + 6 > columns();
    fprintf(stderr, "  %s%-12s%s %s%stry %s\n", colour(s, YELLOW), "doctor", colour(s, RESET), f->text,
            folded ? ";\n               " : "; ", f->advice);
}

void cli_screen(void *user, const ct_event *e) {
    cli *c = user;
    screen *s = &c->screen;
    if (c->quiet) return;
    look(s);
    if (e->kind == CT_EVENT_FACT) {
        fprintf(stderr, "  %s%-12s%s %s\n", colour(s, DIM), e->key, colour(s, RESET), e->text);
    } else if (e->kind == CT_EVENT_STEP) {
        live(s, e);
    } else if (e->kind == CT_EVENT_EPOCH) {
        row(s, e);
    } else if (e->kind == CT_EVENT_FINDING) {
        finding(s, e->finding);
    } else {
        cli_screen_clear(s);
        fprintf(stderr, "  %s\n", e->text);
    }
}
