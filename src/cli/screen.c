/* screen.c: what a training shows. Facts first; then one line that lives on a terminal (progress, loss, rate, time
 * left) above which every epoch leaves a row, the best so far marked. Elsewhere only facts and rows are written,
 * as plain lines. What is too long for a terminal goes on below, under its beginning. */
#include <math.h>
#include <stdarg.h>
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
    s->least = INFINITY;
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

/* ---- lines that are too long ---- */

/* The bytes of `text` that go into `room` columns: to a comma in the further half, else to a space behind the first
 * third, else as many as there is room for. */
static size_t fitting(const char *text, int room) {
    size_t n = 0, space = 0, comma = 0;
    int column = 0;
    for (; text[n]; n++) {
        if (((unsigned char)text[n] & 0xc0) == 0x80) continue; /* inside of a character */
        if (column++ == room) return comma ? comma : space ? space : n;
        if (text[n] != ' ' || column <= room / 3) continue;
        space = n;
        if (column > room / 2 && (text[n - 1] == ',' || text[n - 1] == ';')) comma = n;
    }
    return n;
}

/* The text after `at` columns; on a terminal where it is too long, on further lines that begin at `indent`. */
static void fold(const screen *s, const char *text, int at, int indent) {
    int width = s->terminal ? columns() : 0;
    while (s->terminal && width - at > 16) {
        size_t n = fitting(text, width - at);
        fprintf(stderr, "%.*s\n", (int)n, text);
        text += n + strspn(text + n, " ");
        if (!*text) return;
        fprintf(stderr, "%*s", indent, "");
        at = indent;
    }
    fprintf(stderr, "%s\n", text);
}

static void keyed(screen *s, const char *code, const char *key, const char *text) {
    cli_screen_clear(s);
    fprintf(stderr, "  %s%-12s%s ", colour(s, code), key, colour(s, RESET));
    fold(s, text, 15, 15);
}

void cli_screen_fact(cli *c, const char *key, const char *format, ...) {
    char text[5000];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    look(&c->screen);
    keyed(&c->screen, DIM, key, text);
}

/* ---- the line that lives ---- */

/* One write a drawing, so that nothing flickers. */
typedef struct line {
    char text[1200];
    size_t length;
} line;

static void put(line *l, const char *text) {
    size_t n = strlen(text), room = sizeof l->text - 1 - l->length;
    if (n > room) n = room;
    memcpy(l->text + l->length, text, n);
    l->length += n;
    l->text[l->length] = '\0';
}

static void put_bar(const screen *s, line *l, double share, int width) {
    int full = (int)(share * width + 0.5);
    put(l, colour(s, GREEN));
    for (int i = 0; i < full; i++) put(l, s->utf8 ? "\u2501" : "=");
    put(l, colour(s, RESET));
    put(l, colour(s, DIM));
    for (int i = full; i < width; i++) put(l, s->utf8 ? "\u2500" : "-");
    put(l, colour(s, RESET));
}

static void draw(screen *s, line *l) {
    put(l, "\033[K");
    fputs(l->text, stderr);
    fflush(stderr);
    s->live = 1;
}

/* Eight columns, however large. */
static const char *loss_text(double v, char out[32]) {
    double size = fabs(v);
    snprintf(out, 32, size < 999.5 ? "%8.4f" : size < 99999.5 ? "%8.1f" : "%8.2e", v);
    return out;
}

/* Where there is no room for a full row the rate is left out. */
static int narrow(const screen *s) { return s->terminal && columns() < 73; }

static void head(screen *s) {
    if (s->titled++) return;
    cli_screen_clear(s);
    fprintf(stderr, "\n%s  epoch  %8s  %10s  %8s%s  %9s%s\n", colour(s, DIM), "loss", "validation",
            "accuracy", narrow(s) ? "" : "        lr", "time", colour(s, RESET));
}

/* As much as fits into `room`: share and time left, then the loss, then the rate. */
static void tell(const screen *s, const ct_event *e, int room, char out[200]) {
    char rate[64], left[32], number[32], loss[48];
    loss_text(s->loss, number);
    snprintf(rate, sizeof rate, "  %s samples/s", ct_group_digits((int64_t)e->rate, left));
    snprintf(loss, sizeof loss, "  loss %s", number + strspn(number, " "));
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
    line l = {.text = "\r", .length = 1};
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
    put(&l, epoch);
    if (room >= 8) put_bar(s, &l, (double)e->step / (double)e->steps, room < 32 ? room : 32);
    if (room >= 8) put(&l, "  ");
    put(&l, text);
    draw(s, &l);
}

/* What takes a while: its name at once, and after a second how far it is. */
static void busy(screen *s, const ct_event *e) {
    char done[32], all[32], count[80] = "";
    line l = {.text = "\r", .length = 1};
    double t = now();
    int first = !s->busy || strcmp(s->busy, e->key) != 0;
    if (first) s->busy = e->key, s->began = t;
    if (!s->terminal || (!first && s->live && t - s->shown < 0.1)) return;
    s->shown = t;
    if (e->steps > 0 && t - s->began > 1)
        snprintf(count, sizeof count, "  %s of %s", ct_group_digits(e->step, done),
                 ct_group_digits(e->steps, all));
    int room = columns() - 1 - 15 - (int)strlen(count);
    char name[16];
    snprintf(name, sizeof name, "%-12.12s", e->key);
    put(&l, "  ");
    put(&l, colour(s, DIM));
    put(&l, name);
    put(&l, colour(s, RESET));
    put(&l, " ");
    if (room > 0) {
        char text[1000];
        snprintf(text, sizeof text, "%s", e->text);
        text[fitting(text, room)] = '\0';
        put(&l, text);
    }
    put(&l, count);
    draw(s, &l);
}

/* What is kept is not always the least loss, but none is told apart from it. */
static const char *mark(screen *s, const ct_epoch *r) {
    int least = !(s->least <= r->validation);
    if (least) s->least = r->validation;
    if (!r->best) return "";
    return !least ? "  as good" : narrow(s) ? "  best" : "  best so far";
}

static void row(screen *s, const ct_event *e) {
    const ct_epoch *r = e->row;
    char spent[32], accuracy[32] = "       -", loss[32], validation[32], lr[32] = "";
    cli_screen_clear(s);
    head(s);
    if (isfinite(r->accuracy)) snprintf(accuracy, sizeof accuracy, "%6.2f %%", r->accuracy * 100);
    if (!narrow(s)) snprintf(lr, sizeof lr, "  %8.2e", r->lr);
    fprintf(stderr, "%s%7lld  %s    %s  %s%s  %9s%s%s\n", r->best ? colour(s, BOLD) : "", (long long)r->epoch,
            loss_text(r->loss, loss), loss_text(r->validation, validation), accuracy, lr,
            cli_time(r->seconds, spent), mark(s, r), r->best ? colour(s, RESET) : "");
}

/* What the doctor found, and what to try. */
static void finding(screen *s, const ct_finding *f) {
    char text[1200];
    snprintf(text, sizeof text, "%s; try %s", f->text, f->advice);
    keyed(s, YELLOW, "doctor", text);
}

void cli_screen(void *user, const ct_event *e) {
    cli *c = user;
    screen *s = &c->screen;
    if (c->quiet) return;
    look(s);
    if (e->kind == CT_EVENT_FACT) {
        keyed(s, DIM, e->key, e->text);
    } else if (e->kind == CT_EVENT_STEP) {
        live(s, e);
    } else if (e->kind == CT_EVENT_EPOCH) {
        row(s, e);
    } else if (e->kind == CT_EVENT_FINDING) {
        finding(s, e->finding);
    } else if (e->kind == CT_EVENT_BUSY) {
        busy(s, e);
    } else {
        cli_screen_clear(s);
        fputs("  ", stderr);
        fold(s, e->text, 2, 4);
    }
}
