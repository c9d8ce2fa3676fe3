/* config.c: options from a JSON file: an object of option names, or a run's config.json, whose recipe, net, seed
 * and files are taken. What the command line gave stays. A wrong file is a wrong option: exit status 2. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define LIMIT (1 << 20)

typedef struct source {
    cli *c;
    const char *path, *text; /* text: the file, for places */
} source;

/* Where a key stands. The first place is the right one: keys of options are unique in the file. */
static ct_status wrong(const source *s, const char *key, const char *what) {
    char quoted[300];
    int32_t line = 1;
    snprintf(quoted, sizeof quoted, "\"%.256s\"", key);
    const char *at = strstr(s->text, quoted), *begin = s->text;
    for (const char *p = s->text; at && p < at; p++)
        if (*p == '\n') line++, begin = p + 1;
    return ct_fail_line(&s->c->e, CT_EUSAGE, s->path, line, at ? (int32_t)(at - begin) + 1 : 1,
                        "%.60s: %s; see cotan %s --help", key, what, s->c->verb);
}

static const option *option_of(const cli *c, const char *key) {
    char name[64];
    snprintf(name, sizeof name, "%s", strcmp(key, "clip_norm") == 0 ? "clip" : key);
    for (char *p = name; *p; p++) *p = *p == '_' ? '-' : *p;
    for (const option *o = cli_options; o->name; o++)
        if (strcmp(o->name, name) == 0 && o->verbs && cli_takes(o, c->verb)) return o;
    return NULL;
}

static ct_status unknown(const source *s, const char *key) {
    const char *names[MAX_OPTIONS], *near;
    char text[200];
    size_t n = 0;
    for (const option *o = cli_options; o->name; o++)
        if (o->verbs && cli_takes(o, s->c->verb)) names[n++] = o->name;
    near = ct_nearest(key, names, n);
    snprintf(text, sizeof text, "no such option of cotan %s; wanted %s", s->c->verb,
             near ? near : "one that it has");
    return wrong(s, key, text);
}

static ct_status take(const source *s, const char *key, json_t *v) {
    char where[400], text[60];
    const option *o = option_of(s->c, key);
    if (!o) return unknown(s, key);
    if (s->c->given[o - cli_options] || json_is_false(v) || json_is_null(v)) return CT_OK;
    snprintf(where, sizeof where, "%.300s: %.60s", s->path, key);
    if (json_is_true(v) && !o->value) return cli_set(s->c, o, where, NULL);
    if (json_is_string(v) && o->value) return cli_set(s->c, o, where, json_string_value(v));
    if (!json_is_number(v) || !o->value) return wrong(s, key, "another type; wanted a number or a text");
    if (json_is_integer(v))
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(v));
    else
        snprintf(text, sizeof text, "%.17g", json_number_value(v));
    const char *kept = ct_arena_text(&s->c->arena, text);
    return kept ? cli_set(s->c, o, where, kept) : ct_fail(&s->c->e, CT_ELIMIT, "out of memory");
}

/* {"set": {"width": 8}} */
static ct_status take_settings(const source *s, json_t *settings) {
    const char *name;
    json_t *v;
    char text[200];
    ct_status status = CT_OK;
    if (!json_is_object(settings))
        return wrong(s, "set", "another type; wanted an object of names and values");
    if (cli_given(s->c, "set")) return CT_OK;
    json_object_foreach(settings, name, v) {
        if (json_is_number(v))
            snprintf(text, sizeof text, "%.60s=%.17g", name, json_number_value(v));
        else if (json_is_string(v))
            snprintf(text, sizeof text, "%.60s=%.120s", name, json_string_value(v));
        else
            return wrong(s, name, "another type; wanted a number or a text");
        for (const option *o = cli_options; !status && o->name; o++)
            if (strcmp(o->name, "set") == 0) status = cli_set(s->c, o, s->path, text);
    }
    return status;
}

/* The net of a run stands in its file whole, as presets may change. */
static ct_status take_net(const source *s, json_t *config, json_t *recipe) {
    json_t *model = json_object_get(recipe, "model");
    s->c->config_net = json_string_value(json_object_get(config, "net"));
    if (!s->c->config_net) return model ? take(s, "model", model) : CT_OK;
    s->c->config_model = json_string_value(model);
    return CT_OK;
}

/* An option beside the recipe would be passed over; only what a run itself writes there may stand. */
static ct_status check_keys(const source *s, json_t *config) {
    static const char *const written[] = {"checkpoint_every", "init",       "memory",   "net",
                                          "threads",          "time_limit", "validate", NULL};
    const char *key;
    json_t *v;
    json_object_foreach(config, key, v) {
        int i = 0;
        while (written[i] && strcmp(written[i], key) != 0) i++;
        if (!written[i] && option_of(s->c, key))
            return wrong(s, key, "an option beside a run's \"recipe\"; wanted it within; move it there");
    }
    return CT_OK;
}

/* Those whose default is not 0. */
static int zero_is_meant(const char *key) {
    static const char *const keys[] = {"weight_decay", "ema", "label_smoothing", "patience", "momentum"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0) return 1;
    return 0;
}

/* A run's config.json: the recipe has a value for every option, 0 and "" where there is none. */
static ct_status take_recipe(const source *s, json_t *config, json_t *recipe) {
    static const char *const outside[] = {"validate", "init", "checkpoint_every"};
    cli *c = s->c;
    const char *key;
    json_t *v;
    ct_status status = check_keys(s, config);
    int own_net = cli_given(c, "model") || cli_given(c, "net");
    int own_steps = cli_given(c, "epochs") || cli_given(c, "batch") || cli_given(c, "limit") ||
                    cli_given(c, "time-limit") || cli_given(c, "validate");
    json_object_foreach(recipe, key, v) {
        int none = (json_is_string(v) && !*json_string_value(v)) ||
                   (json_is_number(v) && json_number_value(v) == 0 && !zero_is_meant(key));
        if (status || none || strcmp(key, "init") == 0 || strcmp(key, "model") == 0) continue;
        if (strcmp(key, "labels") == 0) { /* the names themselves, where the option has a file of them */
            c->names = json_string_value(v);
            continue;
        }
        if (own_steps && (strcmp(key, "steps") == 0 || strcmp(key, "stop_at") == 0)) continue;
        status = take(s, key, v);
    }
    for (size_t i = 0; !status && i < sizeof outside / sizeof *outside; i++) {
        v = json_object_get(config, outside[i]);
        if ((json_is_string(v) && *json_string_value(v)) || json_integer_value(v) > 0)
            status = take(s, outside[i], v);
    }
    c->config_data = json_string_value(json_object_get(config, "data"));
    return status || own_net ? status : take_net(s, config, recipe);
}

static ct_status take_all(const source *s, json_t *config) {
    const char *key;
    json_t *v, *recipe = json_object_get(config, "recipe");
    ct_status status = CT_OK;
    if (!json_is_object(config))
        return ct_fail_line(&s->c->e, CT_EUSAGE, s->path, 1, 1,
                            "no JSON object; wanted one of options; write {\"epochs\": 3}, for one");
    if (json_is_object(recipe)) return take_recipe(s, config, recipe);
    json_object_foreach(config, key, v) {
        if (status) break;
        status = strcmp(key, "set") == 0 ? take_settings(s, v) : take(s, key, v);
    }
    return status;
}

ct_status cli_config(cli *c, const char *path) {
    json_error_t at;
    void *data;
    uint64_t bytes;
    ct_status s = cli_read(c, "config", path, LIMIT, &data, &bytes);
    if (s) return s;
    char *text = calloc(bytes + 1, 1);
    if (text) memcpy(text, data, bytes);
    c->config_file = json_loadb(data, bytes, JSON_REJECT_DUPLICATES, &at);
    ct_delete(NULL, data, bytes);
    source from = {c, path, text};
    int model = bytes > 10 && memcmp(text ? text + 8 : "", "{\"", 2) == 0; /* a safetensors file's header */
    if (!text)
        s = ct_fail(&c->e, CT_ELIMIT, "%s: out of memory", path);
    else if (!c->config_file && model)
        s = ct_fail_at(
            &c->e, CT_EUSAGE, path, 0,
            "found a safetensors file; wanted a JSON object of options; give config.json of the run's "
            "folder, m.run for m.safetensors");
    else if (!c->config_file && json_error_code(&at) == json_error_stack_overflow)
        s = ct_fail_line(&c->e, CT_ELIMIT, path, at.line, at.column,
                         "nested too deep; wanted options by name; write {\"epochs\": 3}, for one");
    else if (!c->config_file)
        s = ct_fail_line(&c->e, CT_EUSAGE, path, at.line, at.column,
                         "%s; wanted a JSON object of options; mend the file", at.text);
    else
        s = take_all(&from, c->config_file);
    free(text);
    return s;
}
