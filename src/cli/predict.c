/* predict.c: cotan predict MODEL FILE ...: one line a picture. */
#include <string.h>

#include "cli/cli.h"

typedef struct printer {
    cli *c;
    ct_model *model;
    int64_t left; /* records still to print, -1: all */
} printer;

/* The k-th most probable class, the first of equals first. */
static int64_t next_class(const ct_prediction *p, int64_t before) {
    int64_t best = -1;
    for (int64_t i = 0; i < p->classes; i++) {
        if (before >= 0 && (p->probability[i] > p->probability[before] ||
                            (p->probability[i] == p->probability[before] && i <= before)))
            continue;
        if (best < 0 || p->probability[i] > p->probability[best]) best = i;
    }
    return best;
}

static void print_error(const printer *w, const ct_prediction *p) {
    char text[CT_ERROR_TEXT + 100];
    if (w->c->json)
        cli_json(json_pack("{s:o, s:I, s:s}", "path", p->path ? cli_path(p->path) : json_null(), "index",
                           (json_int_t)p->index, "error", ct_escape(p->error, text, sizeof text)));
    else
        fprintf(stderr, "cotan: %s\n", ct_escape(p->error, text, sizeof text));
}

/* {"path", "index", "label", "probability", "top"}: top has the K most probable, best first. */
static void print_json(const printer *w, const ct_prediction *p) {
    json_t *v = json_pack("{s:o, s:I, s:s, s:o}", "path", cli_path(p->path), "index", (json_int_t)p->index,
                          "label", p->name, "probability", cli_number(p->probability[p->label]));
    int64_t at = -1, top = w->c->top ? w->c->top : 5;
    if (v) {
        json_t *list = json_array();
        for (int64_t k = 0; k < top && k < p->classes; k++) {
            at = next_class(p, at);
            json_array_append_new(list, json_pack("{s:s, s:o}", "label", ct_model_label(w->model, at),
                                                  "probability", cli_number(p->probability[at])));
        }
        json_object_set_new(v, "top", list);
    }
    cli_json(v);
}

static void print_line(const printer *w, const ct_prediction *p) {
    int64_t top = w->c->top ? w->c->top : 1, at = -1;
    char path[4200];
    if (w->c->words > 2 || p->file) printf("%s", ct_escape(p->path, path, sizeof path));
    if (!p->file) printf("%s%lld", w->c->words > 2 ? "\t" : "", (long long)p->index);
    for (int64_t k = 0; k < top && k < p->classes; k++) {
        at = next_class(p, at);
        putchar('\t');
        cli_print(ct_model_label(w->model, at), 0);
        printf("\t%.4f", p->probability[at]);
    }
    putchar('\n');
}

static int each(void *user, const ct_prediction *p) {
    printer *w = user;
    if (w->left == 0) return 1;
    if (w->left > 0) w->left--;
    if (p->error)
        print_error(w, p);
    else if (w->c->json)
        print_json(w, p);
    else
        print_line(w, p);
    return ferror(stdout) ? 1 : 0; /* a closed pipe: enough was read */
}

int cli_predict(cli *c) {
    static const char *const of_pictures[] = {"top", NULL}, *const of_tables[] = {"no-header", "delimiter",
                                                                                  NULL};
    ct_model *m = NULL;
    ct_status s = cli_model(c, c->word[0], &m);
    if (!s && strcmp(ct_model_task(m), "pca") == 0) {
        ct_model_close(m);
        s = cli_idle(c, of_pictures, c->word[0],
                     "a model of principal components; wanted one that names classes");
        return s || cli_predict_pca(c) ? cli_fail(c) : 0;
    }
    if (!s) s = cli_idle(c, of_tables, c->word[0], "a model of pictures; wanted one of a table");
    printer w = {c, m, c->limit ? c->limit : -1};
    if (!s) s = ct_predict_images(m, c->word + 1, c->words - 1, each, &w, &c->e);
    if (s == CT_ECANCEL) { /* by our own `each` */
        s = CT_OK;
        ct_error_clear(&c->e);
    }
    ct_model_close(m);
    return s ? cli_fail(c) : 0;
}
