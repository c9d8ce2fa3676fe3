/* evaluate.c: cotan evaluate MODEL DIR. */
#include <math.h>
#include <string.h>

#include "cli/cli.h"

static void print_json(const ct_evaluation *v, ct_model *m) {
    const ct_score *s = &v->score;
    json_t *rows = json_array(), *labels = json_array();
    for (int64_t i = 0; i < v->classes; i++) {
        json_t *row = json_array();
        for (int64_t k = 0; k < v->classes; k++)
            json_array_append_new(row, json_integer(v->confusion[i * v->classes + k]));
        json_array_append_new(rows, row);
        if (i < ct_model_labels(m)) json_array_append_new(labels, json_string(ct_model_label(m, i)));
    }
    cli_json(json_pack("{s:s, s:I, s:o, s:o, s:[o,o], s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "part",
                       v->part, "samples", (json_int_t)s->samples, "accuracy", cli_number(s->accuracy),
                       "loss", cli_number(s->loss), "interval", cli_number(s->low), cli_number(s->high),
                       "baseline", cli_number(s->baseline), "top5", cli_number(s->top5), "macro_f1",
                       cli_number(s->macro_f1), "macro_precision", cli_number(s->macro_precision),
                       "macro_recall", cli_number(s->macro_recall), "ece", cli_number(s->ece), "labels",
                       labels, "confusion", rows));
}

/* The pairs of classes that are taken for each other most often. */
static void print_confusions(const ct_evaluation *v, ct_model *m) {
    int64_t last = INT64_MAX, last_at = -1;
    for (int n = 0; n < 3; n++) {
        int64_t best = 0, at = -1;
        for (int64_t i = 0; i < v->classes * v->classes; i++) {
            int64_t k = v->confusion[i];
            if (i / v->classes == i % v->classes || k > last || (k == last && i <= last_at)) continue;
            if (k > best) best = k, at = i;
        }
        if (at < 0) return;
        printf("%-18s%s taken for %s: %lld\n", n ? "" : "most confused", ct_model_label(m, at / v->classes),
               ct_model_label(m, at % v->classes), (long long)best);
        last = best;
        last_at = at;
    }
}

static void print_text(const ct_evaluation *v, ct_model *m) {
    const ct_score *s = &v->score;
    char n[32];
    printf("samples           %s (%s part)\n", cli_group(s->samples, n), v->part);
    printf("loss              %.4f\n", s->loss);
    if (v->classes > 5) printf("top-5 accuracy    %.1f %%\n", s->top5 * 100);
    printf("macro F1          %.3f (precision %.3f, recall %.3f)\n", s->macro_f1, s->macro_precision,
           s->macro_recall);
    printf("calibration error %.3f\n", s->ece);
    print_confusions(v, m);
    printf("95 %% interval     %.1f %% to %.1f %%\n", s->low * 100, s->high * 100);
    printf("naive baseline    %.1f %%\n", s->baseline * 100);
    printf("%s accuracy: %.1f %%\n", v->part, s->accuracy * 100);
}

int cli_evaluate(cli *c) {
    ct_model *m = NULL;
    ct_evaluation v = {0};
    ct_options o = cli_context(c);
    ct_status s = ct_model_open(c->word[0], &o, &m, &c->e);
    if (!s) s = ct_evaluate_image(m, c->word[1], c->part, c->limit, &v, &c->e);
    if (!s && c->json) print_json(&v, m);
    if (!s && !c->json) print_text(&v, m);
    ct_evaluation_free(&v);
    ct_model_close(m);
    return s ? cli_fail(c) : 0;
}
