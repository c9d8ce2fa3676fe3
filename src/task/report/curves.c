/* curves.c: what became of the numbers, epoch by epoch. */
#include <math.h>
#include <stdio.h>

#include "task/report/plot.h"
#include "task/report/report.h"

typedef struct curve { /* [n] values of a key */
    double *x, *y;
    int64_t n;
} curve;

static double number(const json_t *row, const char *key) {
    const json_t *v = json_object_get(row, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static curve read_curve(ct_arena *a, const json_t *rows, const char *key) {
    curve c = {.n = (int64_t)json_array_size(rows)};
    c.x = ct_arena_array(a, (uint64_t)c.n + 1, sizeof *c.x);
    c.y = ct_arena_array(a, (uint64_t)c.n + 1, sizeof *c.y);
    if (!c.x || !c.y) c.n = 0;
    for (int64_t i = 0; i < c.n; i++) {
        const json_t *row = json_array_get(rows, (size_t)i);
        c.x[i] = number(row, "epoch");
        c.y[i] = number(row, key);
    }
    return c;
}

/* The last row that was the best so far. */
static int64_t best_row(const json_t *rows) {
    int64_t best = -1;
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (json_is_true(json_object_get(json_array_get(rows, i), "best"))) best = (int64_t)i;
    return best;
}

static void widen(ct__plot *p, const curve *c) {
    for (int64_t i = 0; i < c->n; i++) {
        if (!isfinite(c->y[i])) continue;
        p->y_low = fmin(p->y_low, c->y[i]);
        p->y_high = fmax(p->y_high, c->y[i]);
    }
}

static ct__plot axes(ct_text *t, const curve *first, const curve *second, int from_zero) {
    ct__plot p = {
        .t = t, .x_low = 1, .x_high = 2, .y_low = INFINITY, .y_high = -INFINITY, .whole = 1, .height = 330};
    if (first->n > 1)
        p.x_high = first->x[first->n - 1];
    else
        p.x_low = 0.5, p.x_high = 1.5;
    widen(&p, first);
    if (second) widen(&p, second);
    if (!(p.y_low <= p.y_high)) p.y_low = 0, p.y_high = 1;
    double room = p.y_high > p.y_low ? 0.06 * (p.y_high - p.y_low) : 0.1 * fabs(p.y_high) + 0.01;
    p.y_low = from_zero ? 0 : p.y_low - room;
    p.y_high += room;
    return p;
}

static void dots(ct__plot *p, const curve *c, int series) {
    if (c->n == 1) ct__plot_mark(p, c->x[0], c->y[0], series, "");
}

/* Training and validation, scored alike; `share`: values of 0 to 1, as percent. */
static void pair(ct_text *t, const json_t *rows, ct_arena *a, const char *const key[2], const char *title,
                 int share) {
    curve train = read_curve(a, rows, key[0]), validation = read_curve(a, rows, key[1]);
    ct__plot p = axes(t, &train, &validation, 0);
    int64_t best = best_row(rows);
    char text[64] = "";
    p.percent = share;
    if (share) p.y_low = fmax(p.y_low, 0), p.y_high = fmin(p.y_high, 1);
    ct__plot_begin(&p, title, "epoch", "");
    ct__plot_names(&p, "training", "validation");
    dots(&p, &train, 0);
    ct__plot_series(&p, train.x, train.y, train.n, 0);
    ct__plot_series(&p, validation.x, validation.y, validation.n, 1);
    if (best >= 0 && best < validation.n && isfinite(validation.y[best])) {
        if (!share) snprintf(text, sizeof text, "best: epoch %.0f", validation.x[best]);
        ct__plot_mark(&p, validation.x[best], validation.y[best], 1, text);
    }
    ct__plot_end(&p);
}

static void one(ct_text *t, const json_t *rows, ct_arena *a, const char *key, const char *title) {
    curve c = read_curve(a, rows, key);
    ct__plot p = axes(t, &c, NULL, 1);
    ct__plot_begin(&p, title, "epoch", "");
    ct__plot_series(&p, c.x, c.y, c.n, 0);
    dots(&p, &c, 0);
    ct__plot_end(&p);
}

static void table(ct_text *t, const json_t *rows) {
    static const struct {
        const char *key, *title;
        int form; /* 0: four places, 1: percent, 2: three digits */
    } column[] = {
        {"train_loss", "training loss", 0},         {"validation_loss", "validation loss", 0},
        {"train_accuracy", "training accuracy", 1}, {"validation_accuracy", "validation accuracy", 1},
        {"loss", "loss of the steps", 0},           {"lr", "learning rate", 2},
        {"gradient_norm", "gradient norm", 2}};
    const size_t columns = sizeof column / sizeof *column;
    ct_text_add(t, "<details><summary>The numbers of every epoch</summary>\n<div class=\"wide\"><table><tr>"
                   "<th>epoch</th>");
    for (size_t j = 0; j < columns; j++) ct_text_format(t, "<th>%s</th>", column[j].title);
    ct_text_add(t, "</tr>\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        char k[80];
        snprintf(k, sizeof k, "epoch.%zu.epoch", i + 1);
        ct_text_add(t, "<tr><td>");
        ct__report_whole(t, k, (int64_t)number(row, "epoch"));
        for (size_t j = 0; j < columns; j++) {
            double v = number(row, column[j].key);
            snprintf(k, sizeof k, "epoch.%zu.%s", i + 1, column[j].key);
            ct_text_add(t, "</td><td>");
            if (column[j].form == 0) ct__report_value(t, k, v, 4);
            if (column[j].form == 1) ct__report_percent(t, k, v, 2);
            if (column[j].form == 2) ct__report_short(t, k, v);
        }
        ct_text_add(t, "</td></tr>\n");
    }
    ct_text_add(t, "</table></div></details>\n");
}

void ct__report_curves(ct_text *t, const json_t *rows, const char *words) {
    static const char *const loss[2] = {"train_loss", "validation_loss"}, *const accuracy[2] = {
                                                                              "train_accuracy",
                                                                              "validation_accuracy"};
    ct_arena a = {.allocator = t->allocator};
    ct_text_add(t, "<h2>How it learned</h2>\n");
    if (words) {
        ct_text_add(t, "<p class=\"gap\">");
        ct__report_words(t, words);
        ct_text_add(t, "</p>\n");
    }
    ct_text_add(t,
                "<p class=\"note\">Both parts are scored alike after each epoch: without random transforms, "
                "dropout and label smoothing. Of the training part it is a sample.</p>\n"
                "<div class=\"two\">\n");
    pair(t, rows, &a, loss, "Loss", 0);
    pair(t, rows, &a, accuracy, "Accuracy", 1);
    ct_text_add(t, "</div>\n");
    table(t, rows);
    ct_arena_free(&a);
}

void ct__report_rates(ct_text *t, const json_t *rows) {
    ct_arena a = {.allocator = t->allocator};
    ct_text_add(t, "<h2>Learning rate and gradients</h2>\n<p class=\"note\">As they were at the last step of "
                   "each epoch.</p>\n"
                   "<div class=\"two\">\n");
    one(t, rows, &a, "lr", "Learning rate");
    one(t, rows, &a, "gradient_norm", "Norm of the gradient");
    ct_text_add(t, "</div>\n");
    ct_arena_free(&a);
}

void ct__report_range(ct_text *t, const json_t *rows, double taken) {
    ct_arena a = {.allocator = t->allocator};
    curve c = read_curve(&a, rows, "smoothed"), rate = read_curve(&a, rows, "lr");
    ct__plot p = axes(t, &c, NULL, 0);
    for (int64_t i = 0; i < c.n; i++) c.x[i] = log10(rate.y[i]);
    ct_text_add(t,
                "<h2>How the learning rate was chosen</h2>\n<p class=\"note\">A range test: the rate grew by "
                "equal factors a "
                "step; a tenth of the rate where the loss was lowest was taken.</p>\n<div class=\"two\">\n");
    if (c.n > 1) {
        p.x_low = c.x[0];
        p.x_high = c.x[c.n - 1];
        ct__plot_begin(&p, "Smoothed loss of the range test", "learning rate, as a power of ten", "");
        ct__plot_series(&p, c.x, c.y, c.n, 0);
        int64_t at = 0;
        while (at + 1 < c.n && rate.y[at] < taken) at++;
        ct__plot_mark(&p, log10(taken), c.y[at], 0, "taken");
        ct__plot_end(&p);
    }
    ct_text_add(t, "</div>\n");
    ct_arena_free(&a);
}
