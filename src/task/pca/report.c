/* report.c: the page beside a PCA model: what it was made of, the scree plot, the first two scores of up to 2,000
 * records coloured by the target, the shares as a table, and what the first components are made of. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/pca/pca.h"
#include "task/report/plot.h"

enum { BARS = 40, CLASSES = 10, WEIGHTS = 8 };

static double at(const ct_array *a, int64_t i) { return ((const double *)a->data)[i]; }

/* To a hundredth: "33.62 %", with a point whatever the locale. */
static void percent(ct_text *t, double share) {
    long v = lrint(share * 10000);
    ct_text_format(t, "%ld.%02ld&nbsp;%%", v / 100, v % 100);
}

/* ---- facts ---- */

static void fact(ct_text *t, const char *name, const char *value) {
    ct_text_add(t, "<tr><td>");
    ct_text_add(t, name);
    ct_text_add(t, "</td><td>");
    ct__page_text(t, value);
    ct_text_add(t, "</td></tr>\n");
}

static void facts(const ct__pca_job *j, ct_text *t) {
    const ct_pca *p = &j->result->pca;
    char text[64];
    ct_text number = {.allocator = t->allocator};
    ct_text_add(t, "<table>\n");
    snprintf(text, sizeof text, "%lld", (long long)j->result->records);
    fact(t, "records", text);
    snprintf(text, sizeof text, "%lld", (long long)j->result->features);
    fact(t, "features", text);
    snprintf(text, sizeof text, "%lld", (long long)p->components.dim[0]);
    fact(t, "components", text);
    fact(t, "features scaled", p->scale.data ? "yes, to deviation 1" : "no");
    fact(t, "scores whitened", p->whiten ? "yes" : "no");
    if (j->records.transform) fact(t, "pictures after", j->records.transform);
    if (j->records.target_name) fact(t, "coloured by", j->records.target_name);
    ct__plot_number(&number, j->result->error);
    fact(t, "mean squared error of the reconstruction", number.data ? number.data : "");
    ct_text_free(&number);
    ct_text_add(t, "</table>\n");
}

/* ---- scree ---- */

static void scree(const ct__pca_job *j, ct_text *t) {
    const ct_pca *p = &j->result->pca;
    int64_t k = p->components.dim[0], n = k < BARS ? k : BARS;
    double x[BARS], y[BARS], sum = 0;
    ct__plot plot = {.t = t, .x_low = 0.4, .x_high = (double)n + 0.6, .y_high = 1, .whole = 1};
    ct__plot_begin(&plot, "Share of the variance, and the sum so far", "component", "share");
    for (int64_t i = 0; i < n; i++) {
        char title[80];
        sum += at(&p->ratio, i);
        x[i] = (double)i + 1;
        y[i] = sum;
        snprintf(title, sizeof title, "component %lld", (long long)i + 1);
        ct__plot_bar(&plot, x[i], 0.7, at(&p->ratio, i), title);
    }
    ct__plot_line(&plot, x, y, n);
    for (int64_t i = 0; i < n; i++) ct__plot_point(&plot, x[i], y[i], "#d55e00", NULL);
    ct__plot_end(&plot);
}

/* ---- scatter ---- */

typedef struct palette {
    int32_t label[CLASSES]; /* the most frequent ones */
    int64_t classes;
    int32_t scaled; /* 1: by the number */
    double low, high;
} palette;

typedef struct tally {
    int64_t count;
    int32_t label;
} tally;

static int most_first(const void *a, const void *b) {
    const tally *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}
static int by_label(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static ct_status find_palette(ct__pca_job *j, palette *p) {
    *p = (palette){.low = INFINITY, .high = -INFINITY};
    int64_t n = j->records.labels;
    if (!j->records.target_name || n == 0) return CT_OK;
    tally *count = ct_arena_array(&j->arena, (uint64_t)n, sizeof *count);
    if (!count) return ct_fail(j->e, CT_ELIMIT, "pca: out of memory; use a smaller file");
    for (int64_t i = 0; i < n; i++) count[i].label = (int32_t)i;
    for (int64_t i = 0; i < j->points; i++) {
        if (j->point[i].label >= 0) count[j->point[i].label].count++;
        p->low = fmin(p->low, j->point[i].value);
        p->high = fmax(p->high, j->point[i].value);
    }
    p->scaled = j->records.numeric && n > CLASSES && p->high > p->low;
    qsort(count, (size_t)n, sizeof *count, most_first);
    for (int64_t i = 0; i < n && i < CLASSES && count[i].count > 0; i++)
        p->label[p->classes++] = count[i].label;
    qsort(p->label, (size_t)p->classes, sizeof *p->label, by_label);
    return CT_OK;
}

static const char *colour_of(const palette *p, const ct__pca_point *v, char room[16]) {
    if (p->scaled) {
        ct__plot_scale((v->value - p->low) / (p->high - p->low), room);
        return room;
    }
    if (p->classes == 0) return ct__plot_colour(0);
    for (int64_t i = 0; i < p->classes; i++)
        if (p->label[i] == v->label) return ct__plot_colour(i);
    return ct__plot_colour(-1);
}

static void key(ct_text *t, const char *colour, const char *text) {
    ct_text_format(t, "<span class=\"key\"><i style=\"background:%s\"></i>", colour);
    ct__page_text(t, text);
    ct_text_add(t, "</span>");
}

static void keys(const ct__pca_job *j, const palette *p, ct_text *t) {
    char room[16];
    ct_text_add(t, "<p>");
    for (int64_t i = 0; i < p->classes && !p->scaled; i++)
        key(t, ct__plot_colour(i), j->records.label[p->label[i]]);
    if (!p->scaled && j->records.labels > p->classes && p->classes) key(t, ct__plot_colour(-1), "others");
    for (int i = 0; i <= 4 && p->scaled; i++) {
        ct_text number = {.allocator = t->allocator};
        ct__plot_scale(i / 4.0, room);
        ct__plot_number(&number, p->low + i / 4.0 * (p->high - p->low));
        key(t, room, number.data ? number.data : "");
        ct_text_free(&number);
    }
    if (j->every > 1)
        ct_text_format(t, "<span class=\"key\">every %lldth record</span>", (long long)j->every);
    ct_text_add(t, "</p>\n");
}

static void axis_name(const ct__pca_job *j, int64_t i, char out[120]) {
    ct_text share = {0};
    ct__plot_number(&share, at(&j->result->pca.ratio, i) * 100);
    snprintf(out, 120, "component %lld (%s %% of the variance)", (long long)i + 1,
             share.data ? share.data : "");
    ct_text_free(&share);
}

/* What a reader sees who points at point i: "record 12: kidney", or the picture's file. */
static const char *title_of(const ct__pca_job *j, int64_t i, char out[4400]) {
    char path[4200];
    long long record = (long long)(i * j->every);
    int32_t label = j->point[i].label;
    const char *file = j->records.pictures ? ct__pictures_path(&j->records, record, path) : NULL;
    if (file && strcmp(file, j->records.path) != 0) /* of an array it says nothing */
        snprintf(out, 4400, "record %lld: %s", record, file);
    else if (label >= 0)
        snprintf(out, 4400, "record %lld: %.200s", record, j->records.label[label]);
    else
        snprintf(out, 4400, "record %lld", record);
    return out;
}

static ct_status scatter(ct__pca_job *j, ct_text *t) {
    palette p;
    char title[4400], x_name[120], y_name[120] = "record", room[16];
    ct__plot plot = {.t = t, .x_low = INFINITY, .x_high = -INFINITY, .y_low = INFINITY, .y_high = -INFINITY};
    ct_status s = find_palette(j, &p);
    if (s) return s;
    for (int64_t i = 0; i < j->points; i++) {
        plot.x_low = fmin(plot.x_low, j->point[i].x), plot.x_high = fmax(plot.x_high, j->point[i].x);
        plot.y_low = fmin(plot.y_low, j->point[i].y), plot.y_high = fmax(plot.y_high, j->point[i].y);
    }
    double dx = 0.04 * (plot.x_high - plot.x_low), dy = 0.04 * (plot.y_high - plot.y_low);
    plot.x_low -= dx, plot.x_high += dx, plot.y_low -= dy, plot.y_high += dy;
    axis_name(j, 0, x_name);
    if (j->result->pca.components.dim[0] > 1) axis_name(j, 1, y_name);
    ct_text_add(t, "<div>");
    ct__plot_begin(&plot, "Records by their first scores", x_name, y_name);
    for (int64_t i = 0; i < j->points; i++)
        ct__plot_point(&plot, j->point[i].x, j->point[i].y, colour_of(&p, &j->point[i], room),
                       title_of(j, i, title));
    ct__plot_end(&plot);
    keys(j, &p, t);
    ct_text_add(t, "</div>\n");
    return CT_OK;
}

/* ---- tables ---- */

static void shares(const ct__pca_job *j, ct_text *t) {
    const ct_pca *p = &j->result->pca;
    double sum = 0;
    ct_text_add(t, "<div><h2>Components</h2>\n");
    if (p->components.dim[0] > BARS)
        ct_text_format(t, "<p>The first %d of %lld.</p>\n", BARS, (long long)p->components.dim[0]);
    ct_text_add(t, "<table><tr><th>component</th><th>share</th><th>sum</th><th>variance</th>"
                   "<th>singular value</th></tr>\n");
    for (int64_t i = 0; i < p->components.dim[0] && i < BARS; i++) {
        sum += at(&p->ratio, i);
        ct_text_format(t, "<tr><td>%lld</td><td>", (long long)i + 1);
        percent(t, at(&p->ratio, i));
        ct_text_add(t, "</td><td>");
        percent(t, sum);
        ct_text_add(t, "</td><td>");
        ct__plot_number(t, at(&p->variance, i));
        ct_text_add(t, "</td><td>");
        ct__plot_number(t, at(&p->singular, i));
        ct_text_add(t, "</td></tr>\n");
    }
    ct_text_add(t, "</table></div>\n");
}

/* The features with the largest weights of component i, by size. */
static void weights(const ct__pca_job *j, int64_t i, ct_text *t) {
    int64_t d = j->result->features, shown[WEIGHTS], n = d < WEIGHTS ? d : WEIGHTS;
    const double *w = (const double *)j->result->pca.components.data + i * d;
    for (int64_t k = 0; k < n; k++) {
        shown[k] = -1;
        for (int64_t f = 0; f < d; f++) {
            int taken = 0;
            for (int64_t l = 0; l < k; l++) taken |= shown[l] == f;
            if (!taken && (shown[k] < 0 || fabs(w[f]) > fabs(w[shown[k]]))) shown[k] = f;
        }
    }
    ct_text_format(
        t, "<div><h2>What component %lld is made of</h2>\n<table><tr><th>feature</th><th>weight</th></tr>\n",
        (long long)i + 1);
    for (int64_t k = 0; k < n; k++) {
        ct_text_add(t, "<tr><td>");
        if (j->records.name)
            ct__page_text(t, j->records.name[shown[k]]);
        else
            ct_text_format(t, "%lld", (long long)shown[k]);
        ct_text_add(t, "</td><td>");
        ct__plot_number(t, w[shown[k]]);
        ct_text_add(t, "</td></tr>\n");
    }
    ct_text_add(t, "</table></div>\n");
}

ct_status ct__pca_report(ct__pca_job *j) {
    ct_text t = {.allocator = &j->o->allocator};
    char title[300], name[200];
    const char *slash = strrchr(j->o->data, '/');
    snprintf(title, sizeof title, "Principal components of %s",
             ct_escape(slash && slash[1] ? slash + 1 : j->o->data, name, sizeof name));
    ct__page_begin(&t, title);
    facts(j, &t);
    ct_text_add(&t, "<div class=\"plots\">\n");
    scree(j, &t);
    ct_status s = scatter(j, &t);
    ct_text_add(&t, "</div>\n");
    int pictures = ct__pca_pictures(j, &t);
    ct_text_add(&t, "<div class=\"plots\">\n");
    shares(j, &t);
    for (int64_t i = 0; !pictures && i < 2 && i < j->result->pca.components.dim[0]; i++) weights(j, i, &t);
    ct_text_add(&t, "</div>\n");
    ct__page_end(&t);
    if (!s && t.failed) s = ct_fail(j->e, CT_ELIMIT, "pca: out of memory; use a smaller file");
    ct__run_path(&j->run, "report.html", j->result->report);
    if (!s) s = ct_file_write(&j->o->files, &j->o->allocator, j->result->report, t.data, t.length, j->e);
    ct_text_free(&t);
    return s;
}
