/* pca.c: cotan pca DATA -o MODEL; and what cotan predict does with such a model. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static ct_csv_options csv_of(const cli *c) {
    int32_t delimiter = !c->delimiter ? 0 : strcmp(c->delimiter, "tab") == 0 ? '\t' : c->delimiter[0];
    return (ct_csv_options){.delimiter = delimiter, .no_header = c->no_header};
}

static ct_pca_task task_of(cli *c) {
    static const char *const solvers[] = {"auto", "svd", "covariance", "randomised"};
    ct_pca_task t = {.data = c->word[0],
                     .target = c->target,
                     .output = c->output,
                     .pca = {.components = c->components,
                             .variance = c->variance,
                             .seed = c->seed,
                             .whiten = c->whiten,
                             .scale = c->scale},
                     .transform = c->transform,
                     .follow_links = c->follow_links,
                     .allow_broken = c->allow_broken,
                     .csv = csv_of(c),
                     .batch = c->batch,
                     .incremental = c->incremental,
                     .force = c->force,
                     .threads = (int32_t)c->threads,
                     .files = *cli_files(),
                     .tell = cli_screen,
                     .user = c};
    for (int32_t i = 0; c->solver && i < 4; i++)
        if (strcmp(c->solver, solvers[i]) == 0) t.pca.solver = i;
    return t;
}

/* One line, with all digits: results are compared to the last. */
static void print(json_t *v) {
    char *text = v ? json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17)) : NULL;
    printf("%s\n", text ? text : "{\"error\":\"out of memory\",\"code\":5,\"file\":null,\"pos\":null}");
    free(text);
    json_decref(v);
}

static json_t *numbers(const ct_array *a) {
    json_t *list = json_array();
    for (int64_t i = 0; i < a->dim[0]; i++)
        json_array_append_new(list, cli_number(((const double *)a->data)[i]));
    return list;
}

static void print_json(const ct_pca_result *r) {
    const ct_pca *p = &r->pca;
    json_t *v =
        json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "records", (json_int_t)r->records,
                  "features", (json_int_t)r->features, "components", (json_int_t)p->components.dim[0],
                  "explained_variance_ratio", numbers(&p->ratio), "explained_variance", numbers(&p->variance),
                  "singular_values", numbers(&p->singular), "total_variance", cli_number(p->total),
                  "noise_variance", cli_number(p->noise), "mean_squared_error", cli_number(r->error));
    json_object_set_new(v, "model", r->model[0] ? cli_path(r->model) : json_null());
    json_object_set_new(v, "report", r->report[0] ? cli_path(r->report) : json_null());
    json_object_set_new(v, "scores", r->scores[0] ? cli_path(r->scores) : json_null());
    print(v);
}

static void print_text(const cli *c, const ct_pca_result *r) {
    const ct_pca *p = &r->pca;
    double sum = 0;
    int64_t k = p->components.dim[0];
    printf("component    share      sum   variance\n");
    for (int64_t i = 0; i < k && i < 20; i++) {
        sum += ((const double *)p->ratio.data)[i];
        printf("%9lld %8.4f %8.4f %10.4g\n", (long long)i + 1, ((const double *)p->ratio.data)[i], sum,
               ((const double *)p->variance.data)[i]);
    }
    if (k > 20) printf("      ... %lld more\n", (long long)k - 20);
    if (c->quiet || !r->model[0]) return;
    fprintf(stderr, "\n  %-12s %s\n  %-12s %s\n  %-12s %s\n", "model", r->model, "report", r->report,
            "scores", r->scores);
}

/* The words that make the same model again. */
static void command_of(const cli *c, ct_text *t) {
    static const char *const left_out[] = {"force", "json", "quiet"};
    ct_text_add(t, "cotan pca ");
    cli_quote(t, c->word[0]);
    for (const option *o = cli_options; o->name; o++) {
        const char *text = c->given[o - cli_options];
        int skip = !text;
        for (int i = 0; i < 3; i++) skip |= strcmp(o->name, left_out[i]) == 0;
        if (skip) continue;
        ct_text_format(t, " --%s", o->name);
        if (o->value) {
            ct_text_add(t, " ");
            cli_quote(t, text);
        }
    }
}

/* One character that no number holds, or "tab". */
static ct_status check_delimiter(cli *c) {
    const char *d = c->delimiter;
    if (!d || strcmp(d, "tab") == 0 || (d[0] && !d[1] && !strchr("0123456789+-.eE\"\r\n", d[0])))
        return CT_OK;
    return ct_fail(&c->e, CT_EUSAGE,
                   "--delimiter: %.20s; wanted one character such as ';', or tab; see cotan pca --help", d);
}

int cli_pca(cli *c) {
    ct_pca_result r;
    ct_text command = {0};
    ct_status s = check_delimiter(c);
    if (!s) s = cli_output(c);
    if (!s) s = cli_transform(c);
    ct_pca_task t = task_of(c);
    command_of(c, &command);
    t.command = command.data;
    if (!s) s = ct_pca_file(&t, &r, &c->e);
    ct_text_free(&command);
    if (s) return cli_fail(c);
    if (c->json)
        print_json(&r);
    else
        print_text(c, &r);
    ct_pca_result_free(&r);
    return 0;
}

/* ---- predict ---- */

typedef struct printer {
    cli *c;
    const char *data; /* a file, whose records have numbers, or a folder, whose have paths */
    int64_t left;     /* records still to print, -1: all */
} printer;

static int each(void *user, const char *path, int64_t record, const double *scores, int64_t components) {
    printer *p = user;
    ct_text line = {0};
    if (p->left == 0) return 1;
    if (p->left > 0) p->left--;
    if (p->c->json) {
        json_t *list = json_array();
        for (int64_t i = 0; i < components; i++) json_array_append_new(list, cli_number(scores[i]));
        print(json_pack("{s:o, s:I, s:o}", "path", cli_path(path), "index", (json_int_t)record, "scores",
                        list));
        return ferror(stdout) ? 1 : 0;
    }
    cli_picture(p->c, path, record, strcmp(path, p->data) != 0);
    for (int64_t i = 0; i < components; i++) {
        ct_text_add(&line, "\t");
        ct_text_number(&line, scores[i]);
    }
    printf("%s\n", line.data ? line.data : "");
    ct_text_free(&line);
    return ferror(stdout) ? 1 : 0; /* a closed pipe: enough was read */
}

ct_status cli_predict_pca(cli *c) {
    ct_options o = cli_context(c);
    ct_status s = check_delimiter(c);
    printer p = {c, NULL, c->limit ? c->limit : -1};
    for (int32_t i = 1; !s && p.left != 0 && i < c->words; i++) {
        p.data = c->word[i];
        s = ct_pca_predict(&o, c->word[0], c->word[i], csv_of(c), each, &p, &c->e);
        if (s == CT_ECANCEL) { /* by our own `each` */
            s = CT_OK;
            ct_error_clear(&c->e);
        }
    }
    return s;
}
