/* transform.c: a list of steps as text, and its application. The same list, stored in a model, is applied in
 * training, evaluation and prediction. */
#include "data/transform/transform.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct numbers {
    double v[CT__MAX_CHANNELS];
    int32_t count;
} numbers;

/* "0.1" or "0.1:0.2:0.3" */
static ct_status parse_numbers(const char *step, const char *key, char *text, double min, double max,
                               int whole, numbers *out, ct_err *e) {
    char *save = NULL;
    out->count = 0;
    for (char *t = strtok_r(text, ":", &save); t; t = strtok_r(NULL, ":", &save)) {
        double v;
        if (out->count == CT__MAX_CHANNELS)
            return ct_fail(e, CT_EUSAGE, "%s: %s has more than %d numbers", step, key, CT__MAX_CHANNELS);
        if (!ct_parse_number(t, &v) || !(v >= min && v <= max) || (whole && v != floor(v)))
            return ct_fail(e, CT_EUSAGE, "%s: %s is \"%.40s\"; wanted %s %.9g to %.9g", step, key, t,
                           whole ? "an integer" : "a number", min, max);
        out->v[out->count++] = v;
    }
    if (out->count == 0) return ct_fail(e, CT_EUSAGE, "%s: %s is empty; wanted a number", step, key);
    return CT_OK;
}

static ct_status set_argument(const ct__transform_row *row, ct__step_args *s, char *word, int position,
                              ct_err *e) {
    char *equal = strchr(word, '=');
    const char *key = equal ? word : row->positional;
    if (equal) *equal = '\0';
    if (!key || (!equal && position > 0))
        return ct_fail(e, CT_EUSAGE, "%s: found \"%.40s\"; wanted KEY=VALUE", row->name, word);
    int is_a = row->key_a && strcmp(key, row->key_a) == 0, is_b = row->key_b && strcmp(key, row->key_b) == 0;
    if (!is_a && !is_b)
        return ct_fail(e, CT_EUSAGE, "%s: no argument %.40s; wanted %s%s%s", row->name, key, row->key_a,
                       row->key_b ? " or " : "", row->key_b ? row->key_b : "");
    numbers n;
    ct_status status = parse_numbers(row->name, key, equal ? equal + 1 : word, is_a ? row->min_a : row->min_b,
                                     is_a ? row->max_a : row->max_b, row->whole, &n, e);
    if (status) return status;
    memcpy(is_a ? s->a : s->b, n.v, sizeof n.v);
    if (s->count > 1 && n.count > 1 && n.count != s->count)
        return ct_fail(e, CT_EUSAGE, "%s: %s has %d numbers, the other %d; wanted equal counts", row->name,
                       key, n.count, s->count);
    double *other = is_a ? s->b : s->a, *mine = is_a ? s->a : s->b;
    int32_t count = n.count > s->count ? n.count : s->count;
    for (int32_t i = n.count; i < count; i++) mine[i] = mine[0];
    for (int32_t i = s->count; i < count && s->count; i++) other[i] = other[0];
    s->count = count;
    return CT_OK;
}

static ct_status parse_step(char *text, ct__step_args *s, ct_err *e) {
    const char *names[32];
    size_t n = 0;
    char *save = NULL, *name = strtok_r(text, " \t\n", &save);
    const ct__transform_row *row = NULL;
    if (!name)
        return ct_fail(e, CT_EUSAGE, "transform: an empty step; wanted NAME [ARGUMENTS] between commas");
    for (int32_t i = 0; ct__transforms[i].name; i++) {
        names[n++] = ct__transforms[i].name;
        if (strcmp(name, ct__transforms[i].name) != 0) continue;
        row = &ct__transforms[i];
        s->kind = i;
    }
    if (!row) {
        const char *near = ct_nearest(name, names, n);
        return ct_fail(e, CT_EUSAGE, "transform: no step \"%.40s\"%s%s", name,
                       near ? "; nearest is " : "; wanted normalize, random_crop or flip", near ? near : "");
    }
    for (int32_t i = 0; i < CT__MAX_CHANNELS; i++) {
        s->a[i] = row->a;
        s->b[i] = row->b;
    }
    int position = 0;
    for (char *word = strtok_r(NULL, " \t\n", &save); word; word = strtok_r(NULL, " \t\n", &save)) {
        ct_status status = set_argument(row, s, word, position++, e);
        if (status) return status;
    }
    if (isnan(s->a[0])) return ct_fail(e, CT_EUSAGE, "%s: %s is not given", row->name, row->key_a);
    if (row->key_b && isnan(s->b[0]))
        return ct_fail(e, CT_EUSAGE, "%s: %s is not given", row->name, row->key_b);
    if (s->count < 1) s->count = 1;
    return CT_OK;
}

ct_status ct_transform_parse(const ct_allocator *a, const char *text, ct_transform **out, ct_err *e) {
    ct_transform *t = ct_new(a, sizeof *t);
    ct_arena arena = {.allocator = a};
    char *copy = ct_arena_text(&arena, text ? text : "");
    ct_status s = t && copy ? CT_OK : ct_fail(e, CT_ELIMIT, "transform: out of memory");
    int blank = copy && copy[strspn(copy, " \t\n")] == '\0';
    while (!s && copy && !blank) {
        char *comma = strchr(copy, ',');
        if (comma) *comma = '\0';
        if (t->steps == CT__MAX_STEPS)
            s = ct_fail(e, CT_EUSAGE, "transform: more than %d steps", CT__MAX_STEPS);
        else
            s = parse_step(copy, &t->step[t->steps++], e);
        copy = comma ? comma + 1 : NULL;
    }
    ct_arena_free(&arena);
    if (s) {
        ct_delete(a, t, sizeof *t);
        return s;
    }
    t->allocator = a;
    *out = t;
    return CT_OK;
}

void ct_transform_free(ct_transform *t) {
    if (t) ct_delete(t->allocator, t, sizeof *t);
}

static void write_numbers(ct_text *out, const char *key, const double *v, int32_t count) {
    ct_text_format(out, " %s=", key);
    for (int32_t i = 0; i < count; i++) {
        if (i) ct_text_add(out, ":");
        ct_text_number(out, v[i]);
    }
}

ct_status ct_transform_text(const ct_transform *t, ct_text *out) {
    for (int32_t i = 0; i < t->steps; i++) {
        const ct__step_args *s = &t->step[i];
        const ct__transform_row *row = &ct__transforms[s->kind];
        ct_text_format(out, "%s%s", i ? ", " : "", row->name);
        if (row->key_a) write_numbers(out, row->key_a, s->a, s->count);
        if (row->key_b) write_numbers(out, row->key_b, s->b, s->count);
    }
    return out->failed ? CT_ELIMIT : CT_OK;
}

ct_status ct_transform_shape(const ct_transform *t, const int64_t in[3], int64_t out[3], ct_err *e) {
    int64_t now[3] = {in[0], in[1], in[2]};
    ct_status s = CT_OK;
    for (int32_t i = 0; t && i < t->steps && !s; i++) {
        s = ct__transforms[t->step[i].kind].shape(&t->step[i], now, out, e);
        memcpy(now, out, sizeof now);
    }
    if (!s) memcpy(out, now, sizeof now);
    return s;
}

#define SMALL 16384 /* pixels that fit on the stack, twice */

static int has_normalize(const ct_transform *t) {
    for (int32_t i = 0; t && i < t->steps; i++)
        if (strcmp(ct__transforms[t->step[i].kind].name, "normalize") == 0) return 1;
    return 0;
}

void ct_transform_run(const ct_transform *t, const uint8_t *picture, const int64_t shape[3], int64_t record,
                      int64_t epoch, uint64_t seed, float *out) {
    float spare[SMALL];
    int64_t n = shape[0] * shape[1] * shape[2];
    float *second = n <= SMALL ? spare : ct_new(NULL, (uint64_t)n * sizeof *second);
    ct__picture p = {out, second, shape[0], shape[1], shape[2]};
    ct_random r = ct_random_stream(seed, (uint64_t)record * 0x9e3779b97f4a7c15ull + (uint64_t)(epoch + 1));
    for (int64_t i = 0; i < n; i++) out[i] = picture[i];
    for (int32_t i = 0; t && i < t->steps; i++) {
        const ct__transform_row *row = &ct__transforms[t->step[i].kind];
        if ((!row->random || epoch >= 0) && (second || !row->random)) row->run(&t->step[i], &p, &r);
    }
    for (int64_t i = 0; !has_normalize(t) && i < n; i++) p.data[i] *= 1.0f / 255.0f;
    if (p.data != out) memcpy(out, p.data, (size_t)n * sizeof *out);
    if (second != spare) ct_delete(NULL, second, (uint64_t)n * sizeof *second);
}
