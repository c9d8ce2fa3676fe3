/* evaluate.c: cotan evaluate MODEL DIR. */
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

#define TABLE 30  /* classes up to which each has a line */
#define WORST 10  /* lines of more */
#define MATRIX 12 /* classes up to which the confusion matrix is shown */
#define NAME 18   /* characters of a label */

typedef struct shown {
    const ct_evaluation *v;
    ct_model *m;
    const ct_gap *gap; /* NULL: no run stands beside the model */
} shown;

/* ---- as JSON ---- */

static json_t *class_json(const shown *w, int64_t c) {
    const ct_class_score *s = &w->v->each[c];
    return json_pack("{s:s, s:I, s:I, s:o, s:o, s:o}", "label", ct_model_label(w->m, c), "samples",
                     (json_int_t)s->samples, "predicted", (json_int_t)s->predicted, "precision",
                     cli_number(s->precision), "recall", cli_number(s->recall), "f1", cli_number(s->f1));
}

static json_t *coverage_json(const ct_evaluation *v) {
    const ct_calibrated *k = &v->calibrated;
    return json_pack("{s:f, s:o, s:[o,o], s:o, s:o}", "wanted", v->coverage, "reached",
                     cli_number(k->covered), "ci95", cli_number(k->low), cli_number(k->high), "mean_size",
                     cli_number(k->mean_size), "threshold", cli_number(k->threshold));
}

static json_t *gap_json(const ct_gap *g) {
    static const char *const verdicts[] = {"unknown", "fits", "under-fit", "over-fit"};
    return json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:o}", "verdict", verdicts[g->verdict], "text", g->text,
                     "best_epoch", (json_int_t)g->best_epoch, "epochs", (json_int_t)g->epochs, "overfit_from",
                     g->overfit_from ? json_integer(g->overfit_from) : json_null(), "train_loss",
                     cli_number(g->train), "validation_loss", cli_number(g->validation));
}

static void add_lists(const shown *w, json_t *all) {
    const ct_evaluation *v = w->v;
    json_t *rows = json_array(), *labels = json_array(), *classes = json_array();
    for (int64_t i = 0; i < v->classes; i++) {
        json_t *row = json_array();
        for (int64_t k = 0; k < v->classes; k++)
            json_array_append_new(row, json_integer(v->confusion[i * v->classes + k]));
        json_array_append_new(rows, row);
        json_array_append_new(classes, class_json(w, i));
        if (i < ct_model_labels(w->m)) json_array_append_new(labels, json_string(ct_model_label(w->m, i)));
    }
    json_object_set_new(all, "labels", labels);
    json_object_set_new(all, "confusion", rows);
    json_object_set_new(all, "classes", classes);
}

static void print_json(const shown *w) {
    const ct_evaluation *v = w->v;
    static const char *const micro[] = {"micro_f1", "micro_precision", "micro_recall"};
    json_t *all = cli_score(&v->score);
    json_object_set_new(all, "part", json_string(v->part));
    json_object_set_new(all, "passed_over", json_integer(v->passed_over));
    for (size_t i = 0; i < sizeof micro / sizeof *micro; i++)
        json_object_set_new(all, micro[i], cli_number(v->score.accuracy));
    json_object_set_new(all, "top_k", json_integer(v->top));
    json_object_set_new(all, "top_k_accuracy", cli_number(v->top_k));
    json_object_set_new(all, "temperature", cli_number(v->calibrated.temperature));
    json_object_set_new(all, "calibrated_on", json_integer(v->calibrated_on));
    json_object_set_new(all, "log_loss_calibrated", cli_number(v->calibrated.loss));
    json_object_set_new(all, "ece_calibrated", cli_number(v->calibrated.ece));
    json_object_set_new(all, "gap", w->gap ? gap_json(w->gap) : json_null());
    if (v->coverage > 0) json_object_set_new(all, "coverage", coverage_json(v));
    add_lists(w, all);
    cli_json(all);
}

/* ---- on the screen ---- */

/* Characters of a label as it is printed. */
static int length_of(const char *label) {
    char text[300];
    int n = 0;
    ct_escape(label, text, sizeof text);
    for (const char *at = text; *at; at++) n += ((unsigned char)*at & 0xc0) != 0x80;
    return n;
}

/* A label in a column of so many characters (to its right end where negative), cut where it is longer. */
static void print_label(const char *label, int column) {
    char text[300];
    int n = 0, width = column < 0 ? -column : column;
    size_t bytes = 0;
    ct_escape(label, text, sizeof text);
    for (; text[bytes]; bytes++)
        if (((unsigned char)text[bytes] & 0xc0) != 0x80 && ++n > width)
            break; /* the first byte of a character */
    n = n > width ? width : n;
    printf("%*s%.*s%*s", column < 0 ? width - n : 0, "", (int)bytes, text, column < 0 ? 0 : width - n, "");
}

static void print_share(double x) {
    if (isnan(x))
        printf("%11s", "-");
    else
        printf("%11.3f", x);
}

static void print_row(const char *label, int64_t pictures, double precision, double recall, double f1) {
    char n[32];
    print_label(label, NAME);
    printf("%11s", pictures >= 0 ? ct_group_digits(pictures, n) : "");
    print_share(precision);
    print_share(recall);
    print_share(f1);
    putchar('\n');
}

/* The class of the least F1 above that of `before`, of equals the next; -1: none. */
static int64_t next_worst(const ct_evaluation *v, int64_t before) {
    int64_t best = -1;
    for (int64_t c = 0; c < v->classes; c++) {
        double x = v->each[c].f1, last = before >= 0 ? v->each[before].f1 : -1;
        if (isnan(x) || x < last || (x == last && c <= before)) continue;
        if (best < 0 || x < v->each[best].f1) best = c;
    }
    return best;
}

static void print_classes(const shown *w) {
    const ct_evaluation *v = w->v;
    const ct_score *s = &v->score;
    int few = v->classes <= TABLE;
    int64_t c = few ? 0 : next_worst(v, -1);
    printf("\n%-*s%11s%11s%11s%11s\n", NAME, few ? "class" : "worst classes", "pictures", "precision",
           "recall", "F1");
    for (int64_t n = 0; c >= 0 && n < (few ? v->classes : WORST); n++, c = few ? n : next_worst(v, c))
        print_row(ct_model_label(w->m, c), v->each[c].samples, v->each[c].precision, v->each[c].recall,
                  v->each[c].f1);
    print_row("macro", -1, s->macro_precision, s->macro_recall, s->macro_f1);
    print_row("micro", -1, s->accuracy, s->accuracy, s->accuracy);
}

/* Characters of a column of the matrix: 7, more where longer labels find room on a line of 80. */
static int matrix_column(const shown *w) {
    int longest = 7, room = (80 - NAME) / (int)w->v->classes - 1;
    for (int64_t k = 0; k < w->v->classes; k++) {
        int n = length_of(ct_model_label(w->m, k));
        longest = n > longest ? n : longest;
    }
    return longest <= 7 || room <= 7 ? 7 : longest < room ? longest : room;
}

static void print_matrix(const shown *w) {
    const ct_evaluation *v = w->v;
    if (v->classes > MATRIX || v->classes < 2) return;
    int column = matrix_column(w);
    printf("\n%-*s", NAME, "taken for");
    for (int64_t k = 0; k < v->classes; k++) {
        putchar(' ');
        print_label(ct_model_label(w->m, k), -column);
    }
    for (int64_t i = 0; i < v->classes; i++) {
        putchar('\n');
        print_label(ct_model_label(w->m, i), NAME);
        for (int64_t k = 0; k < v->classes; k++) {
            long long n = (long long)v->confusion[i * v->classes + k];
            if (n)
                printf(" %*lld", column, n);
            else
                printf(" %*s", column, ".");
        }
    }
    puts("\n");
}

/* The pairs of classes that are taken for each other most often. */
static void print_confusions(const ct_evaluation *v, ct_model *m) {
    int64_t at = -1;
    for (int n = 0; n < 3 && (at = ct_confused_next(v->confusion, v->classes, at)) >= 0; n++) {
        printf("%-18s", n ? "" : "most confused");
        cli_print(ct_model_label(m, at / v->classes), 0);
        printf(" taken for ");
        cli_print(ct_model_label(m, at % v->classes), 0);
        printf(": %lld\n", (long long)v->confusion[at]);
    }
}

static void print_certainty(const ct_evaluation *v) {
    const ct_calibrated *k = &v->calibrated;
    if (v->calibrated_on > 0)
        printf("calibration error %.3f as trained, %.3f at temperature %.3g, which predict shows\n",
               v->score.ece, k->ece, k->temperature);
    else
        printf("calibration error %.3f\n", v->score.ece);
    if (v->coverage <= 0) return;
    printf("coverage          %.1f %% (%.1f %% to %.1f %%) of the sets made for %g %% hold the label, %.2f "
           "classes a set\n",
           k->covered * 100, k->low * 100, k->high * 100, v->coverage * 100, k->mean_size);
    if (k->threshold <= 0)
        printf("%-18stoo few records (%lld) calibrated them: the sets hold every class\n", "",
               (long long)v->calibrated_on);
}

static void print_text(const shown *w) {
    const ct_evaluation *v = w->v;
    const ct_score *s = &v->score;
    char n[32];
    printf("samples           %s (%s part)\n", ct_group_digits(s->samples, n), v->part);
    printf("loss              %.4f\n", s->loss);
    if (v->classes > v->top) printf("top-%lld accuracy    %.1f %%\n", (long long)v->top, v->top_k * 100);
    print_certainty(v);
    if (w->gap && w->gap->verdict != CT_GAP_UNKNOWN) printf("training          %s\n", w->gap->text);
    print_classes(w);
    print_matrix(w);
    print_confusions(v, w->m);
    printf("95 %% interval     %.1f %% to %.1f %%\n", s->low * 100, s->high * 100);
    printf("naive baseline    %.1f %%\n", s->baseline * 100);
    printf("%s%saccuracy: %.1f %%\n", strcmp(v->part, "all") == 0 ? "" : v->part,
           strcmp(v->part, "all") == 0 ? "" : " ", s->accuracy * 100);
}

/* The page of the run, where it stands beside the model; a page that cannot be changed takes nothing from the score. */
static void add_to_report(ct_model *m, const char *model, const ct_evaluation *v) {
    char report[4200], text[4300];
    ct_err e = {0};
    if (ct_report_add_test(m, model, v, report, &e))
        fprintf(stderr, "  the report is left as it was: %s\n", e.text);
    else if (report[0])
        fprintf(stderr, "  added to %s\n", ct_escape(report, text, sizeof text));
}

static void tell(void *user, const char *line) {
    (void)user;
    fprintf(stderr, "  %s\n", line);
}

int cli_evaluate(cli *c) {
    ct_model *m = NULL;
    ct_evaluation v = {0};
    ct_evaluate_options o = {.part = c->part,
                             .limit = c->limit,
                             .top = c->top,
                             .coverage = c->coverage,
                             .tell = tell,
                             .strict = c->strict,
                             .allow_broken = c->allow_broken};
    ct_gap gap;
    ct_err none = {0}; /* a model may have been moved away from its run */
    struct stat st;
    ct_status s = CT_OK;
    if (stat(c->word[0], &st) == 0 && S_ISDIR(st.st_mode))
        s = ct_fail_at(&c->e, CT_EIO, c->word[0], -1,
                       "a folder; wanted a model; write cotan evaluate MODEL DIR");
    if (!s) s = cli_model(c, c->word[0], &m);
    if (!s) s = ct_evaluate_image_with(m, c->word[1], &o, &v, &c->e);
    if (!s && v.note[0]) fprintf(stderr, "  %s\n", v.note);
    shown w = {&v, m, NULL};
    if (!s && ct_run_gap(cli_files(), NULL, c->word[0], &gap, &none) == CT_OK) w.gap = &gap;
    if (!s && !c->limit) add_to_report(m, c->word[0], &v);
    if (!s && c->json) print_json(&w);
    if (!s && !c->json) print_text(&w);
    ct_evaluation_free(&v);
    ct_model_close(m);
    return s ? cli_fail(c) : 0;
}
