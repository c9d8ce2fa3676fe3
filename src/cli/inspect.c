/* inspect.c: cotan inspect MODEL; and cotan presets. */
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
               ct_dtype_name((ct_dtype)a.dtype), cli_group((int64_t)ct_array_count(&a), n));
    }
    return all;
}

static void print_object(const char *title, const json_t *v) {
    const char *key;
    json_t *x;
    if (!json_is_object(v)) return;
    printf("\n%s\n", title);
    json_object_foreach((json_t *)(uintptr_t)v, key, x) {
        if (json_is_string(x))
            printf("  %-16s %s\n", key, json_string_value(x));
        else if (json_is_integer(x))
            printf("  %-16s %lld\n", key, (long long)json_integer_value(x));
        else if (json_is_real(x))
            printf("  %-16s %.6g\n", key, json_real_value(x));
    }
}

static void print_text(const char *path, const ct_tensors *t, const json_t *v) {
    char n[32];
    const json_t *labels = json_object_get(v, "labels");
    printf("%s\n", path);
    if (json_is_string(json_object_get(v, "task")))
        printf("  task             %s\n", json_string_value(json_object_get(v, "task")));
    if (json_is_array(labels)) {
        printf("  labels           ");
        for (size_t i = 0; i < json_array_size(labels) && i < 20; i++)
            printf("%s%s", i ? ", " : "", json_string_value(json_array_get(labels, i)));
        printf("%s\n", json_array_size(labels) > 20 ? " ..." : "");
    }
    if (json_is_string(json_object_get(v, "net")))
        printf("\nnet\n%s", json_string_value(json_object_get(v, "net")));
    printf("\ntensors\n");
    int64_t all = print_tensors(t);
    printf("  %-32s %39s\n", "in all", cli_group(all, n));
    print_object("preprocessing", json_object_get(v, "preprocessing"));
    print_object("recipe", json_object_get(v, "recipe"));
    print_object("metrics of the validation part", json_object_get(v, "metrics"));
    if (!v) printf("\nwritten by another program: no net, labels or preprocessing\n");
}

int cli_inspect(cli *c) {
    ct_tensors *t = NULL;
    const char *document = NULL;
    ct_status s = ct_model_read(NULL, NULL, c->word[0], &t, &document, &c->e);
    if (s) return cli_fail(c);
    json_t *v = document ? json_loads(document, 0, NULL) : NULL;
    if (c->json && v)
        cli_json(json_incref(v));
    else if (c->json)
        cli_json(json_pack("{s:s, s:I}", "file", c->word[0], "tensors", (json_int_t)ct_tensors_count(t)));
    else
        print_text(c->word[0], t, v);
    json_decref(v);
    ct_tensors_free(t);
    return 0;
}

int cli_presets(cli *c) {
    if (c->words == 1) {
        const char *text = ct_preset_text(c->word[0]), *names[64];
        int32_t n = 0;
        if (text && c->json)
            cli_json(json_pack("{s:s, s:s}", "name", c->word[0], "net", text));
        else if (text)
            fputs(text, stdout);
        if (text) return 0;
        for (; n < ct_preset_count() && n < 64; n++) names[n] = ct_preset_name(n);
        const char *near = ct_nearest(c->word[0], names, (size_t)n);
        ct_fail(&c->e, CT_EUSAGE, "%.60s: no such preset; wanted %s; see cotan presets", c->word[0],
                near ? near : "one of the list");
        return cli_fail(c);
    }
    for (int32_t i = 0; i < ct_preset_count(); i++) {
        const char *text = ct_preset_text(ct_preset_name(i));
        int first = (int)strcspn(text, "\n");
        if (c->json)
            cli_json(json_pack("{s:s, s:s}", "name", ct_preset_name(i), "net", text));
        else
            printf("%-12s %.*s\n", ct_preset_name(i), text[0] == '#' ? first - 2 : 0, text + 2);
    }
    return 0;
}
