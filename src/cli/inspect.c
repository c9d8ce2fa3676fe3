/* inspect.c: cotan inspect MODEL; of pictures audit.c. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static int64_t print_tensors(const ct_tensors *t) {
    int64_t all = 0;
    for (int64_t i = 0; i < ct_tensors_count(t); i++) {
        ct_array a;
        char shape[CT_SHAPE_TEXT], n[32];
        if (ct_tensors_at(t, i, &a)) continue;
        ct_shape s = ct_shape_make(a.rank, a.dim);
        all += (int64_t)ct_array_count(&a);
        printf("  %-32s %-20s %-5s %12s\n", ct_tensors_name(t, i), ct_shape_format(&s, shape),
               ct_dtype_name((ct_dtype)a.dtype), ct_group_digits((int64_t)ct_array_count(&a), n));
    }
    return all;
}

static void print_member(const char *key, const char *value) {
    char shown[200];
    printf("  %-18s ", ct_escape(key, shown, sizeof shown));
    cli_print(value, 0);
    putchar('\n');
}

static void print_list(const char *key, const json_t *list) {
    size_t n = json_array_size(list), shown = n < 10 ? n : 10;
    printf("  %-18s ", key);
    for (size_t i = 0; i < shown; i++)
        printf("%s%.6g", i ? ", " : "", json_number_value(json_array_get(list, i)));
    if (n > shown) printf(" and %zu more", n - shown);
    putchar('\n');
}

/* One line a member; two numbers under a name with _ci are an interval. */
static void print_object(const char *title, const json_t *v) {
    const char *key;
    json_t *x;
    if (!json_is_object(v)) return;
    printf("\n%s\n", title);
    json_object_foreach((json_t *)(uintptr_t)v, key, x) {
        if (json_is_string(x) && *json_string_value(x))
            print_member(key, json_string_value(x));
        else if (json_is_integer(x))
            printf("  %-18s %lld\n", key, (long long)json_integer_value(x));
        else if (json_is_real(x))
            printf("  %-18s %.6g\n", key, json_real_value(x));
        else if (json_is_boolean(x))
            printf("  %-18s %s\n", key, json_is_true(x) ? "yes" : "no");
        else if (json_array_size(x) > 0 && !strstr(key, "_ci"))
            print_list(key, x);
        else if (json_array_size(x) == 2)
            printf("  %-18s %.6g to %.6g\n", key, json_number_value(json_array_get(x, 0)),
                   json_number_value(json_array_get(x, 1)));
    }
}

static void print_labels(const json_t *labels) {
    if (!json_is_array(labels)) return;
    printf("  labels             ");
    for (size_t i = 0; i < json_array_size(labels) && i < 20; i++) {
        const char *label = json_string_value(json_array_get(labels, i));
        fputs(i ? ", " : "", stdout);
        cli_print(label ? label : "?", 0);
    }
    if (json_array_size(labels) > 20) printf(" and %zu more", json_array_size(labels) - 20);
    printf("\n");
}

static void print_text(const char *path, const ct_tensors *t, const json_t *v) {
    char n[32], shown[4200];
    const char *task = json_string_value(json_object_get(v, "task")),
               *transform = json_string_value(json_object_get(v, "transform")),
               *net = json_string_value(json_object_get(v, "net"));
    printf("%s\n", ct_escape(path, shown, sizeof shown));
    if (!v) printf("  written by another program: no net, labels or preprocessing\n");
    if (task) print_member("task", task);
    print_labels(json_object_get(v, "labels"));
    if (transform) print_member("preprocessing", transform);
    if (net) {
        printf("\nnet\n");
        cli_print(net, 1);
    }
    printf("\ntensors\n");
    int64_t all = print_tensors(t);
    printf("  %-32s %39s\n", "in all", ct_group_digits(all, n));
    if (ct_tensors_nonfinite(t, NULL))
        printf("  %-32s %39s\n", "NaN or infinite", ct_group_digits(ct_tensors_nonfinite(t, NULL), n));
    print_object("recipe", json_object_get(v, "recipe"));
    int classifier = task && strcmp(task, "pca") != 0;
    print_object(classifier ? "metrics of the validation part, best epoch" : "metrics",
                 json_object_get(v, "metrics"));
    print_object("data, by hash", json_object_get(v, "data"));
}

/* The document, with the file's name, and the tensors as a list instead of hashes by name. */
static void print_json(const char *path, const ct_tensors *t, json_t *v) {
    json_t *out = v ? json_copy(v) : json_object(), *list = json_array();
    const json_t *hashes = json_object_get(v, "tensors");
    int64_t all = 0;
    for (int64_t i = 0; i < ct_tensors_count(t); i++) {
        ct_array a;
        const char *hash = json_string_value(json_object_get(hashes, ct_tensors_name(t, i)));
        if (ct_tensors_at(t, i, &a)) continue;
        ct_shape s = ct_shape_make(a.rank, a.dim);
        all += (int64_t)ct_array_count(&a);
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:s*}", "name", ct_tensors_name(t, i), "dtype",
                                              ct_dtype_name((ct_dtype)a.dtype), "shape", cli_shape(&s),
                                              "xxh3", hash));
    }
    json_object_set_new(out, "file", cli_path(path));
    json_object_set_new(out, "tensors", list);
    json_object_set_new(out, "elements", json_integer(all));
    json_object_set_new(out, "nonfinite", json_integer(ct_tensors_nonfinite(t, NULL)));
    cli_json(out);
}

/* The net as it is built: defs, loops, scopes and params written out, one op a line, with shapes. */
static ct_status print_flat(cli *c, const char *path) {
    ct_model *m = NULL;
    ct_text t = {0};
    ct_options o = cli_context(c);
    ct_status s = ct_model_open(path, &o, &m, &c->e) ? cli_no_model(c, path) : CT_OK;
    if (!s && ct_graph_print(ct_model_output(m), &t))
        s = ct_fail(&c->e, CT_ELIMIT, "%s: out of memory", path);
    if (!s && c->json)
        cli_json(json_pack("{s:o, s:s}", "file", cli_path(path), "net", t.data));
    else if (!s)
        fputs(t.data, stdout);
    ct_text_free(&t);
    ct_model_close(m);
    return s;
}

int cli_inspect(cli *c) {
    ct_tensors *t = NULL;
    const char *document = NULL, *path = c->word[0];
    static const char *const of_models[] = {"flat", NULL}, *const of_data[] = {"follow-links", "seed",
                                                                               "threads", NULL};
    int data = cli_is_data(path);
    ct_status s = data ? cli_idle(c, of_models, path, "data; wanted a model")
                       : cli_idle(c, of_data, path, "no folder or list of pictures; wanted one");
    if (s) return cli_fail(c);
    if (data) return cli_audit(c, path);
    if (c->flat) return print_flat(c, path) ? cli_fail(c) : 0;
    if (ct_model_read(cli_files(), NULL, path, &t, &document, &c->e)) {
        (void)cli_no_model(c, path);
        return cli_fail(c);
    }
    json_t *v = document ? json_loads(document, 0, NULL) : NULL;
    if (c->json)
        print_json(path, t, v);
    else
        print_text(path, t, v);
    json_decref(v);
    ct_tensors_free(t);
    return 0;
}
