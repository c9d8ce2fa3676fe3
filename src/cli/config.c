/* config.c: options from a JSON file: an object of option names, or a run's config.json, whose "recipe" is
 * one. What the command line gave stays. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* Numbers that a run works out by itself. */
static int derived(const char *key) {
    return strcmp(key, "steps") == 0 || strcmp(key, "stop") == 0 || strcmp(key, "init") == 0;
}

static int given(const cli *c, const option *o) {
    static const char zeros[8];
    size_t size = o->value ? 8 : 4;
    return memcmp((const char *)c + o->offset, zeros, size) != 0;
}

static ct_status take(cli *c, const char *path, const char *key, json_t *v) {
    char name[60], where[400], text[60];
    snprintf(name, sizeof name, "%s", strcmp(key, "clip_norm") == 0 ? "clip" : key);
    for (char *p = name; *p; p++) *p = *p == '_' ? '-' : *p;
    snprintf(where, sizeof where, "%.300s: %.60s", path, key);
    for (const option *o = cli_options; o->name; o++) {
        if (strcmp(o->name, name) != 0 || !cli_takes(o, c->verb) || !o->verbs) continue;
        if (given(c, o) || (json_is_string(v) && !*json_string_value(v)) || json_is_false(v) ||
            json_is_null(v))
            return CT_OK;
        if (json_is_string(v)) return cli_set(c, o, where, json_string_value(v));
        if (json_is_true(v) && !o->value) return cli_set(c, o, where, NULL);
        if (!json_is_number(v) || !o->value)
            return ct_fail(&c->e, CT_EDATA, "%s: wanted a number or a text", where);
        if (json_number_value(v) == 0) return CT_OK; /* zero: the default */
        snprintf(text, sizeof text, "%.17g", json_number_value(v));
        return cli_set(c, o, where, text);
    }
    return ct_fail(&c->e, CT_EDATA, "%s: no such option of cotan %s", where, c->verb);
}

ct_status cli_config(cli *c, const char *path) {
    json_error_t at;
    const char *key;
    json_t *v;
    void *data;
    uint64_t bytes;
    ct_status s = ct_file_read(NULL, NULL, path, 1 << 24, &data, &bytes, &c->e);
    if (s) return s;
    c->config_file = json_loadb(data, bytes, JSON_REJECT_DUPLICATES, &at);
    ct_delete(NULL, data, bytes);
    if (!c->config_file)
        return ct_fail(&c->e, CT_EDATA, "%.300s:%d:%d: %s; wanted a JSON object of options", path, at.line,
                       at.column, at.text);
    json_t *recipe = json_object_get(c->config_file, "recipe"), *options = recipe ? recipe : c->config_file;
    if (!json_is_object(options))
        return ct_fail(&c->e, CT_EDATA, "%.300s: no JSON object; wanted one of options", path);
    json_object_foreach(options, key, v) {
        if (recipe && derived(key)) continue;
        if (!s) s = take(c, path, key, v);
    }
    return s;
}
