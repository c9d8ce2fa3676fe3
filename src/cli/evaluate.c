/* evaluate.c: cotan evaluate MODEL DIR. */
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

static void print_json(const ct_evaluation *v, ct_model *m) {
    json_t *all = cli_score(&v->score), *rows = json_array(), *labels = json_array();
    for (int64_t i = 0; i < v->classes; i++) {
        json_t *row = json_array();
        for (int64_t k = 0; k < v->classes; k++)
            json_array_append_new(row, json_integer(v->confusion[i * v->classes + k]));
        json_array_append_new(rows, row);
        if (i < ct_model_labels(m)) json_array_append_new(labels, json_string(ct_model_label(m, i)));
    }
    json_object_set_new(all, "part", json_string(v->part));
    json_object_set_new(all, "labels", labels);
    json_object_set_new(all, "confusion", rows);
    cli_json(all);
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
        printf("%-18s", n ? "" : "most confused");
        cli_print(ct_model_label(m, at / v->classes), 0);
        printf(" taken for ");
        cli_print(ct_model_label(m, at % v->classes), 0);
        printf(": %lld\n", (long long)best);
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
    printf("%s%saccuracy: %.1f %%\n", strcmp(v->part, "all") == 0 ? "" : v->part,
           strcmp(v->part, "all") == 0 ? "" : " ", s->accuracy * 100);
}

int cli_evaluate(cli *c) {
    ct_model *m = NULL;
    ct_evaluation v = {0};
    struct stat st;
    ct_status s = CT_OK;
    if (stat(c->word[0], &st) == 0 && S_ISDIR(st.st_mode))
        s = ct_fail_at(&c->e, CT_EIO, c->word[0], -1,
                       "a folder; wanted a model; write cotan evaluate MODEL DIR");
    if (!s) s = cli_model(c, c->word[0], &m);
    if (!s) s = ct_evaluate_image(m, c->word[1], c->part, c->limit, &v, &c->e);
    if (!s && v.note[0]) fprintf(stderr, "  %s\n", v.note);
    if (!s && c->json) print_json(&v, m);
    if (!s && !c->json) print_text(&v, m);
    ct_evaluation_free(&v);
    ct_model_close(m);
    return s ? cli_fail(c) : 0;
}
