/* report.h: the page of a run: one file that needs nothing from elsewhere. Every number stands in an element with
 * data-v="KEY", the place where metrics.jsonl or `cotan evaluate --json` has it (data-p: times 100), so that a test can
 * read them back; times are data-t.
 *
 *     PART.KEY            evaluate --json --part PART: accuracy, accuracy_ci95.0, macro_f1, ...; confusion.TRUTH.PREDICTION
 *     PART.class.I.KEY    what follows from the confusion matrix: precision, recall, f1, samples
 *     epoch.N.KEY         row N of metrics.jsonl
 *     layer.I.KEY, weight.I.KEY, finding.I.KEY       of its last row
 *     record.I.KEY        line I of validation.jsonl, from 0 */
#ifndef CT_TASK_REPORT_H
#define CT_TASK_REPORT_H

#include <jansson.h>

#include "cotan/task.h"

extern const char ct__report_css[], ct__report_js[];

typedef struct ct__sample { /* a line of validation.jsonl */
    int64_t label, prediction;
    double probability, loss; /* probability: of the prediction */
} ct__sample;

#define CT__EXAMPLES 4 /* of a cell of the confusion matrix */
typedef struct ct__report {
    ct_text *t;
    const char *part; /* "validation" or "test" */
    const ct_score *score;
    const ct_calibrated *calibrated; /* at the model's temperature; NULL: not known */
    int64_t classes;
    const char *const *label; /* [classes] */
    const int64_t *confusion; /* [classes, classes] */
    const int64_t *example;   /* [classes, classes, CT__EXAMPLES] numbers of pictures, or -1; NULL: none */
} ct__report;

/* page.c */
void ct__report_begin(ct_text *t, const char *title);
void ct__report_end(ct_text *t);
void ct__report_text(ct_text *t, const char *text);  /* escaped, whatever bytes it has */
void ct__report_words(ct_text *t, const char *text); /* the same; options are not broken after their dashes */
void ct__report_value(ct_text *t, const char *key, double v, int decimals);
void ct__report_percent(ct_text *t, const char *key, double share, int decimals);
void ct__report_short(ct_text *t, const char *key, double v); /* three digits */
void ct__report_whole(ct_text *t, const char *key, int64_t v);
void ct__report_bar(ct_text *t, double share, int second);

/* classes.c */
void ct__report_headline(const ct__report *r);
void ct__report_confusion(const ct__report *r);
void ct__report_classes(const ct__report *r);
/* curves.c: rows of metrics.jsonl, an array; words: what to make of them, or NULL */
void ct__report_curves(ct_text *t, const json_t *rows, const char *words);
/* Rows of lr.jsonl, and the rate that was taken. */
void ct__report_range(ct_text *t, const json_t *rows, double taken);
void ct__report_rates(ct_text *t, const json_t *rows);
/* health.c */
void ct__report_doctor(ct_text *t, const json_t *rows, int doctor);
void ct__report_health(ct_text *t, const json_t *rows);
ct_status ct__report_ops(ct_text *t, ct_session *s, ct_plan *p, int64_t batch, ct_err *e);

/* The figures of the test part go between these lines. */
#define CT__REPORT_TEST_BEGIN "<!-- test -->\n"
#define CT__REPORT_TEST_END "<!-- /test -->\n"

#endif
