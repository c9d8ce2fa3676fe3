/* classes.c: how good: the headline, the confusion matrix whose cells show examples, the table of classes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "task/report/plot.h"
#include "task/report/report.h"

#define MOST_IN_MATRIX 30
#define LARGE 12 /* a matrix of more classes has small cells, so that its examples stand beside it */
#define MOST_IN_TABLE 100

static const char *key(const ct__report *r, char out[120], const char *name) {
    snprintf(out, 120, "%s.%s", r->part, name);
    return out;
}

/* ---- headline ---- */

#define END_CARD "</div></div>\n"
static void open_card(ct_text *t) { ct_text_add(t, "<div><div class=\"n\">"); }
static void close_card(ct_text *t, const char *what) { ct_text_format(t, "</div><div class=\"k\">%s", what); }

static void percent_card(const ct__report *r, const char *name, double v, int digits, const char *what) {
    char k[120];
    open_card(r->t);
    ct__report_percent(r->t, key(r, k, name), v, digits);
    close_card(r->t, what);
}
static void value_card(const ct__report *r, const char *name, double v, int digits, const char *what) {
    char k[120];
    open_card(r->t);
    ct__report_value(r->t, key(r, k, name), v, digits);
    close_card(r->t, what);
}

static void accuracy_cards(const ct__report *r) {
    char k[120];
    ct_text *t = r->t;
    const ct_score *s = r->score;
    percent_card(r, "accuracy", s->accuracy, 2, "accuracy<br>95&nbsp;% interval:<br>");
    ct__report_percent(t, key(r, k, "accuracy_ci95.0"), s->low, 1);
    ct_text_add(t, " to ");
    ct__report_percent(t, key(r, k, "accuracy_ci95.1"), s->high, 1);
    ct_text_add(t, END_CARD);
    percent_card(r, "baseline_accuracy", s->baseline, 1,
                 "naive baseline<br>always the<br>largest class" END_CARD);
    if (r->classes <= 5) return; /* then the right one is always among five */
    percent_card(r, "top5_accuracy", s->top5, 1, "top-5 accuracy<br>right among five" END_CARD);
}

static void calibration_card(const ct__report *r) {
    char k[120];
    ct_text *t = r->t;
    percent_card(r, "ece", r->score->ece, 1, "calibration error<br>");
    if (r->calibrated) {
        ct__report_percent(t, key(r, k, "ece_calibrated"), r->calibrated->ece, 1);
        ct_text_add(t, " at<br>temperature ");
        ct__report_value(t, key(r, k, "temperature"), r->calibrated->temperature, 2);
    } else {
        ct_text_add(t, "stated against<br>true shares");
    }
    ct_text_add(t, END_CARD);
}

void ct__report_headline(const ct__report *r) {
    char k[120];
    ct_text *t = r->t;
    const ct_score *s = r->score;
    ct_text_add(t, "<div class=\"cards\">\n");
    accuracy_cards(r);
    value_card(r, "macro_f1", s->macro_f1, 3, "macro F1<br>precision ");
    ct__report_value(t, key(r, k, "macro_precision"), s->macro_precision, 3);
    ct_text_add(t, "<br>recall ");
    ct__report_value(t, key(r, k, "macro_recall"), s->macro_recall, 3);
    ct_text_add(t, END_CARD);
    value_card(r, "log_loss", s->loss, 4, "log loss<br>per picture" END_CARD);
    calibration_card(r);
    ct_text_add(t, "</div>\n");
}

/* ---- confusion ---- */

static int64_t row_sum(const ct__report *r, int64_t truth) {
    int64_t sum = 0;
    for (int64_t c = 0; c < r->classes; c++) sum += r->confusion[truth * r->classes + c];
    return sum;
}
static int64_t column_sum(const ct__report *r, int64_t predicted) {
    int64_t sum = 0;
    for (int64_t c = 0; c < r->classes; c++) sum += r->confusion[c * r->classes + predicted];
    return sum;
}

static void cell_examples(const ct__report *r, int64_t at) {
    int first = 1;
    for (int i = 0; r->example && i < CT__EXAMPLES; i++) {
        int64_t number = r->example[at * CT__EXAMPLES + i];
        if (number < 0) continue;
        ct_text_format(r->t, first ? " tabindex=\"0\" role=\"button\" data-e=\"%lld" : ",%lld",
                       (long long)number);
        first = 0;
    }
    if (!first) ct_text_add(r->t, "\"");
}

static void cell(const ct__report *r, int64_t truth, int64_t predicted, int64_t sum) {
    char k[120];
    ct_text *t = r->t;
    int64_t at = truth * r->classes + predicted, n = r->confusion[at];
    if (n == 0) {
        ct_text_add(t, "<td class=\"z\"></td>");
        return;
    }
    /* The root, so that a few mistakes can be seen beside many hits. */
    long shade = lrint(100 * (0.08 + 0.72 * sqrt((double)n / (double)sum)));
    ct_text_format(t, "<td class=\"%s\" style=\"--s:.%02ld\" title=\"", truth == predicted ? "d" : "m",
                   shade > 99 ? 99 : shade);
    ct__report_text(t, r->label[truth]);
    ct_text_add(t, truth == predicted ? ", rightly called so: " : " taken for ");
    if (truth != predicted) {
        ct__report_text(t, r->label[predicted]);
        ct_text_add(t, ": ");
    }
    ct_text_format(t, "%lld of %lld\"", (long long)n, (long long)sum);
    cell_examples(r, at);
    snprintf(k, sizeof k, "%s.confusion.%lld.%lld", r->part, (long long)truth, (long long)predicted);
    ct_text_add(t, ">");
    ct__report_whole(t, k, n);
    ct_text_add(t, "</td>");
}

static void matrix(const ct__report *r) {
    ct_text *t = r->t;
    int turned = 0; /* long names stand upright */
    for (int64_t c = 0; c < r->classes; c++) turned |= strlen(r->label[c]) > 3;
    ct_text_format(
        t, "<div class=\"matrix%s\"><div class=\"wide\"><table class=\"confusion%s\"><thead><tr><th></th>",
        r->classes > LARGE ? " large" : "", turned ? " turned" : "");
    for (int64_t c = 0; c < r->classes; c++) {
        ct_text_add(t, "<th title=\"");
        ct__report_text(t, r->label[c]);
        ct_text_add(t, "\"><span>");
        ct__report_text(t, r->label[c]);
        ct_text_add(t, "</span></th>");
    }
    ct_text_add(t, "</tr></thead><tbody>\n");
    for (int64_t truth = 0; truth < r->classes; truth++) {
        int64_t sum = row_sum(r, truth);
        ct_text_add(t, "<tr><th class=\"r\" title=\"");
        ct__report_text(t, r->label[truth]);
        ct_text_add(t, "\">");
        ct__report_text(t, r->label[truth]);
        ct_text_add(t, "</th>");
        for (int64_t c = 0; c < r->classes; c++) cell(r, truth, c, sum);
        ct_text_add(t, "</tr>\n");
    }
    ct_text_add(t, "</tbody></table></div>");
    if (r->example) ct_text_add(t, "<div class=\"shown\"></div>");
    ct_text_add(t, "</div>\n");
}

/* Where there are too many classes for a matrix: the pairs that are taken for each other most. */
static void pairs(const ct__report *r) {
    ct_text *t = r->t;
    int64_t at = -1;
    ct_text_add(t, "<table><tr><th>truth</th><th class=\"l\">taken for</th><th>pictures</th></tr>\n");
    for (int n = 0; n < MOST_IN_MATRIX && (at = ct_confused_next(r->confusion, r->classes, at)) >= 0; n++) {
        char k[120];
        ct_text_add(t, "<tr><td>");
        ct__report_text(t, r->label[at / r->classes]);
        ct_text_add(t, "</td><td class=\"l\">");
        ct__report_text(t, r->label[at % r->classes]);
        ct_text_add(t, "</td><td>");
        snprintf(k, sizeof k, "%s.confusion.%lld.%lld", r->part, (long long)(at / r->classes),
                 (long long)(at % r->classes));
        ct__report_whole(t, k, r->confusion[at]);
        ct_text_add(t, "</td></tr>\n");
    }
    ct_text_add(t, "</table>\n");
}

/* The page is about the validation part. */
static const char *of_part(const ct__report *r) {
    return strcmp(r->part, "test") == 0 ? ", in the test part" : "";
}

void ct__report_confusion(const ct__report *r) {
    ct_text_format(r->t,
                   "<h2>What is taken for what%s</h2>\n<p class=\"note\">Rows are the true classes, columns "
                   "the predicted "
                   "ones; a cell is shaded by its share of the row.",
                   of_part(r));
    if (r->example && r->classes <= MOST_IN_MATRIX)
        ct_text_add(r->t, "<span class=\"screen\"> A click shows its worst examples.</span>");
    ct_text_add(r->t, "</p>\n");
    if (r->classes <= MOST_IN_MATRIX)
        matrix(r);
    else
        pairs(r);
}

/* ---- classes ---- */

static void class_row(const ct__report *r, int64_t c) {
    char k[120];
    ct_text *t = r->t;
    int64_t hits = r->confusion[c * r->classes + c], truth = row_sum(r, c), predicted = column_sum(r, c);
    double precision = predicted ? (double)hits / (double)predicted : NAN,
           recall = truth ? (double)hits / (double)truth : NAN,
           f1 = truth + predicted ? 2 * (double)hits / (double)(truth + predicted) : NAN;
    ct_text_add(t, "<tr><td>");
    ct__report_text(t, r->label[c]);
    ct_text_add(t, "</td><td>");
    snprintf(k, sizeof k, "%s.class.%lld.samples", r->part, (long long)c);
    ct__report_whole(t, k, truth);
    ct_text_add(t, "</td><td>");
    snprintf(k, sizeof k, "%s.class.%lld.precision", r->part, (long long)c);
    ct__report_value(t, k, precision, 3);
    ct_text_add(t, "</td><td>");
    snprintf(k, sizeof k, "%s.class.%lld.recall", r->part, (long long)c);
    ct__report_value(t, k, recall, 3);
    ct_text_add(t, "</td><td>");
    snprintf(k, sizeof k, "%s.class.%lld.f1", r->part, (long long)c);
    ct__report_value(t, k, f1, 3);
    ct_text_add(t, "</td><td class=\"l\">");
    ct__report_bar(t, isnan(f1) ? 0 : f1, 0);
    ct_text_add(t, "</td></tr>\n");
}

void ct__report_classes(const ct__report *r) {
    ct_text *t = r->t;
    ct_text_format(t,
                   "<h2>Class by class%s</h2>\n<div class=\"wide\"><table><tr><th>class</th>"
                   "<th>pictures</th><th>precision</th><th>recall</th><th>F1</th><th></th></tr>\n",
                   of_part(r));
    for (int64_t c = 0; c < r->classes && c < MOST_IN_TABLE; c++) class_row(r, c);
    ct_text_add(t, "</table></div>\n");
    if (r->classes > MOST_IN_TABLE)
        ct_text_format(t, "<p class=\"note\">The first %d classes.</p>\n", MOST_IN_TABLE);
}
