/* features.c: cotan predict MODEL FILE ... --layer NAME: what a layer makes of each picture, as CSV, JSON or .npy. */
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

typedef struct table {
    cli *c;
    int64_t left; /* records still to write, -1: all */
    int64_t rows, size, room;
    float *x;      /* [rows, size], with -o */
    ct_status own; /* why the walk was stopped by us */
} table;

static void print_field(const char *text) {
    if (!text[strcspn(text, ",\"\r\n")]) {
        printf("%s", text);
        return;
    }
    putchar('"');
    for (; *text; text++) printf(*text == '"' ? "\"\"" : "%c", *text);
    putchar('"');
}

static void print_row(const table *t, const ct_prediction *p) {
    if (t->rows == 0) {
        printf("path,index");
        for (int64_t i = 0; i < p->features; i++) printf(",%s.%lld", t->c->layer, (long long)i);
        putchar('\n');
    }
    print_field(p->path);
    printf(",%lld", (long long)p->index);
    for (int64_t i = 0; i < p->features; i++) printf(",%.9g", (double)p->feature[i]);
    putchar('\n');
}

static void print_object(const table *t, const ct_prediction *p) {
    json_t *list = json_array();
    for (int64_t i = 0; i < p->features; i++) json_array_append_new(list, cli_number((double)p->feature[i]));
    cli_json(json_pack("{s:o, s:I, s:s, s:o}", "path", cli_path(p->path), "index", (json_int_t)p->index,
                       "layer", t->c->layer, "features", list));
}

static int keep(table *t, const ct_prediction *p) {
    t->size = p->features;
    if (t->rows == t->room) {
        int64_t room = t->room ? 2 * t->room : 256;
        uint64_t bytes = 0;
        int ok = ct_mul_ok((uint64_t)room * sizeof *t->x, (uint64_t)t->size, &bytes);
        float *x = ok ? ct_resize(NULL, t->x, (size_t)(t->room * t->size) * sizeof *x, bytes) : NULL;
        if (!x) {
            t->own = ct_fail(&t->c->e, CT_ELIMIT, "layer: out of memory for %lld rows", (long long)room);
            return 1;
        }
        t->x = x;
        t->room = room;
    }
    memcpy(t->x + t->rows * t->size, p->feature, (size_t)t->size * sizeof *t->x);
    if (t->c->json) {
        cli_json(json_pack("{s:o, s:I, s:I}", "path", cli_path(p->path), "index", (json_int_t)p->index, "row",
                           (json_int_t)t->rows));
        return 0;
    }
    cli_picture(t->c, p->path, p->index, p->file);
    putchar('\n');
    return 0;
}

static int each(void *user, const ct_prediction *p) {
    table *t = user;
    if (t->left == 0) return 1;
    if (t->left > 0) t->left--;
    if (p->error) {
        cli_picture_error(t->c, p->path, p->index, p->error);
        return 0;
    }
    if (t->c->output && keep(t, p)) return 1;
    if (!t->c->output && t->c->json) print_object(t, p);
    if (!t->c->output && !t->c->json) print_row(t, p);
    t->rows++;
    return ferror(stdout) ? 1 : 0;
}

static ct_status check_output(cli *c) {
    struct stat st;
    size_t n = strlen(c->output);
    if (n < 5 || strcmp(c->output + n - 4, ".npy") != 0)
        return ct_fail(&c->e, CT_EUSAGE, "-o: %.200s; wanted a name that ends with .npy; give one",
                       c->output);
    if (!c->force && lstat(c->output, &st) == 0)
        return ct_fail(&c->e, CT_EUSAGE,
                       "-o %.900s: exists; wanted a new name; give --force to write over it", c->output);
    return CT_OK;
}

ct_status cli_features(cli *c, ct_model *m, const char *const *path, int64_t n) {
    table t = {.c = c, .left = c->limit ? c->limit : -1};
    ct_predict_options o = {.layer = c->layer};
    ct_err inner = {0};
    ct_status s = c->output ? check_output(c) : CT_OK;
    if (s) return s;
    s = ct_predict_images_with(m, path, n, &o, each, &t, &inner);
    if (t.own) s = t.own;
    int whole = s == CT_OK || s == CT_EDATA || (s == CT_ECANCEL && t.left == 0);
    if (!t.own && s) c->e = inner;
    if (c->output && whole && t.rows) {
        ct_array a = ct_array_view(t.x, CT_F32, ct_shape_make(2, (const int64_t[2]){t.rows, t.size}));
        ct_err wrong = {0};
        ct_status saved = ct_npy_save(NULL, NULL, c->output, &a, &wrong);
        if (saved) c->e = wrong, s = saved;
    }
    ct_delete(NULL, t.x, (size_t)(t.room * t.size) * sizeof *t.x);
    return s;
}
