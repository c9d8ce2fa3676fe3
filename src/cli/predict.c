/* predict.c: cotan predict MODEL FILE ...: one line a picture. */
#include <string.h>

#include "cli/cli.h"

typedef struct printer {
    cli *c;
    ct_model *model;
    int64_t left; /* records still to print, -1: all */
    int64_t told, unsure;
} printer;

/* The next probable class after `before` (-1: none yet): the label first, then by probability, of equals the first. */
static int64_t next_class(const ct_prediction *p, int64_t before) {
    int64_t best = -1;
    if (before < 0) return p->label;
    for (int64_t i = 0; i < p->classes; i++) {
        if (i == p->label ||
            (before != p->label && (p->probability[i] > p->probability[before] ||
                                    (p->probability[i] == p->probability[before] && i <= before))))
            continue;
        if (best < 0 || p->probability[i] > p->probability[best]) best = i;
    }
    return best;
}

void cli_picture(const cli *c, const char *path, int64_t index, int file) {
    char text[4200];
    int named = c->words > 2 || file || c->paths;
    if (named) printf("%s", ct_escape(path, text, sizeof text));
    if (!file) printf("%s%lld", named ? "\t" : "", (long long)index);
}

void cli_picture_error(cli *c, const char *path, int64_t index, const char *error) {
    char text[CT_ERROR_TEXT + 100];
    c->broken++;
    if (c->json)
        cli_json(json_pack("{s:o, s:I, s:s}", "path", path ? cli_path(path) : json_null(), "index",
                           (json_int_t)index, "error", ct_escape(error, text, sizeof text)));
    else
        fprintf(stderr, "cotan: %s\n", ct_escape(error, text, sizeof text));
}

static int is_unsure(const printer *w, const ct_prediction *p) {
    return cli_given(w->c, "unsure") && p->probability[p->label] < w->c->unsure;
}

/* {"path", "index", "label", "probability", "top"}: top has the K most probable, best first; "unsure" and "set" where they
 * are asked for. */
static void print_json(const printer *w, const ct_prediction *p) {
    json_t *v = json_pack("{s:o, s:I, s:s, s:o}", "path", cli_path(p->path), "index", (json_int_t)p->index,
                          "label", p->name, "probability", cli_number(p->probability[p->label]));
    int64_t at = -1, top = w->c->top ? w->c->top : 5;
    json_t *list = json_array(), *set = json_array();
    for (int64_t k = 0; k < p->classes && (k < top || k < p->set); k++) {
        at = next_class(p, at);
        const char *label = ct_model_label(w->model, at);
        if (k < top)
            json_array_append_new(
                list, json_pack("{s:s, s:o}", "label", label, "probability", cli_number(p->probability[at])));
        if (k < p->set) json_array_append_new(set, json_string(label));
    }
    json_object_set_new(v, "top", list);
    if (p->set) json_object_set(v, "set", set);
    json_decref(set);
    if (cli_given(w->c, "unsure")) json_object_set_new(v, "unsure", json_boolean(is_unsure(w, p)));
    cli_json(v);
}

static void print_set(const printer *w, const ct_prediction *p) {
    int64_t at = -1;
    for (int64_t k = 0; k < p->set; k++) {
        at = next_class(p, at);
        printf("%s", k ? ", " : "\t{");
        cli_print(ct_model_label(w->model, at), 0);
    }
    if (p->set) putchar('}');
}

static void print_line(const printer *w, const ct_prediction *p) {
    int64_t top = w->c->top ? w->c->top : 1, at = -1;
    cli_picture(w->c, p->path, p->index, p->file);
    for (int64_t k = 0; k < top && k < p->classes; k++) {
        at = next_class(p, at);
        putchar('\t');
        cli_print(ct_model_label(w->model, at), 0);
        printf("\t%.4f", p->probability[at]);
    }
    print_set(w, p);
    puts(is_unsure(w, p) ? "\tunsure" : "");
}

static int each(void *user, const ct_prediction *p) {
    printer *w = user;
    if (w->left == 0) return 1;
    if (w->left > 0) w->left--;
    if (p->error) {
        cli_picture_error(w->c, p->path, p->index, p->error);
        return ferror(stdout) ? 1 : 0;
    }
    w->told++;
    w->unsure += is_unsure(w, p);
    if (w->c->json)
        print_json(w, p);
    else
        print_line(w, p);
    return ferror(stdout) ? 1 : 0; /* a closed pipe: enough was read */
}

static ct_status classes(cli *c, ct_model *m, const char *const *path, int64_t n) {
    char unsure[32], told[32];
    printer w = {c, m, c->limit ? c->limit : -1, 0, 0};
    ct_predict_options o = {.coverage = c->coverage};
    ct_status s = ct_predict_images_with(m, path, n, &o, each, &w, &c->e);
    if (cli_given(c, "unsure") && w.told)
        fprintf(stderr, "  %s of %s under %g\n", ct_group_digits(w.unsure, unsure),
                ct_group_digits(w.told, told), c->unsure);
    return s;
}

/* ---- what is predicted ---- */

typedef struct list {
    const char **path;
    int64_t n, room;
    void *text;
    uint64_t bytes;
} list;

/* The words after the model, then the lines of --paths; NUL bytes end the paths where there are any, as find -print0 writes
 * them. */
static ct_status gather(cli *c, list *l) {
    ct_status s = CT_OK;
    if (c->paths) s = cli_read(c, "paths", c->paths, 1u << 30, &l->text, &l->bytes);
    if (s) return s;
    char *text = l->text, end = l->bytes && memchr(text, 0, l->bytes) ? '\0' : '\n';
    int64_t lines = 1;
    for (uint64_t i = 0; i < l->bytes; i++) lines += text[i] == end;
    l->room = c->words + lines;
    l->path = ct_new_array(NULL, (uint64_t)l->room, sizeof *l->path);
    char *copy = ct_arena_array(&c->arena, l->bytes + 1, 1);
    if (!l->path || !copy)
        return ct_fail(&c->e, CT_ELIMIT, "predict: out of memory for %lld paths", (long long)lines);
    for (int32_t i = 1; i < c->words; i++) l->path[l->n++] = c->word[i];
    if (l->bytes) memcpy(copy, text, l->bytes);
    for (uint64_t from = 0, i = 0; i <= l->bytes; i++) {
        if (i < l->bytes && copy[i] != end) continue;
        copy[i] = '\0';
        if (i > from) l->path[l->n++] = copy + from;
        from = i + 1;
    }
    return CT_OK;
}

static ct_status check(cli *c) {
    if (c->words < 2 && !c->paths)
        return ct_fail(&c->e, CT_EUSAGE,
                       "predict: no pictures; wanted cotan predict MODEL FILE...; see cotan predict --help");
    if ((c->similar || c->layer) && (c->coverage > 0 || cli_given(c, "unsure")))
        return ct_fail(
            &c->e, CT_EUSAGE,
            "--%s: gives no labels, which --coverage and --unsure are about; wanted one or the other; leave "
            "one out",
            c->similar ? "similar" : "layer");
    if (c->output && (!c->layer || c->similar))
        return ct_fail(&c->e, CT_EUSAGE,
                       "-o: predict prints; wanted --layer with it, for an .npy file; add it, or use >");
    return CT_OK;
}

static ct_status pca(cli *c) {
    static const char *const of_pictures[] = {"top", "unsure", "coverage", "layer", "similar", "paths", NULL};
    ct_status s = cli_idle(c, of_pictures, c->word[0],
                           "a model of principal components; wanted one that names classes");
    return s ? s : cli_predict_pca(c);
}

int cli_predict(cli *c) {
    static const char *const of_tables[] = {"no-header", "delimiter", NULL};
    ct_model *m = NULL;
    list l = {0};
    ct_status s = check(c);
    if (!s) s = cli_model(c, c->word[0], &m);
    if (!s && strcmp(ct_model_task(m), "pca") == 0) {
        ct_model_close(m);
        return pca(c) ? cli_fail(c) : 0;
    }
    if (!s) s = cli_idle(c, of_tables, c->word[0], "a model of pictures; wanted one of a table");
    if (!s) s = gather(c, &l);
    if (!s && c->similar)
        s = cli_similar(c, m, l.path, l.n);
    else if (!s && c->layer)
        s = cli_features(c, m, l.path, l.n);
    else if (!s)
        s = classes(c, m, l.path, l.n);
    if (s == CT_ECANCEL) { /* by our own `each`, at the limit */
        ct_error_clear(&c->e);
        s = c->broken
                ? ct_fail(&c->e, CT_EDATA,
                          "predict: %lld picture%s cannot be read, of those before the end; wanted all; mend "
                          "or leave out what is named above",
                          (long long)c->broken, c->broken == 1 ? "" : "s")
                : CT_OK;
    }
    ct_delete(NULL, l.path, (size_t)l.room * sizeof *l.path);
    ct_delete(NULL, l.text, l.bytes);
    ct_model_close(m);
    return s ? cli_fail(c) : 0;
}
