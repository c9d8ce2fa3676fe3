/* transform.c: a list of steps as text, read and written by the tables of their parameters. */
#include "data/transform/transform.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_WORD 200

typedef struct parser {
    const char *text;
    size_t pos;
    char word[MAX_WORD]; /* the word read last, and where it began */
    size_t word_at;
    ct_err *e;
} parser;

static CT_PRINTF(3, 4) ct_status fail(parser *p, size_t at, const char *format, ...) {
    char text[600];
    long line = 1, column = 1;
    va_list ap;
    for (size_t i = 0; i < at; i++) {
        column++;
        if (p->text[i] == '\n') line++, column = 1;
    }
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    int first = p->e && !p->e->status;
    ct_fail(p->e, CT_EUSAGE, "transform:%ld:%ld: %s; see docs/transforms.md", line, column, text);
    if (first) p->e->pos = (int64_t)at;
    return CT_EUSAGE;
}

static int at_step_end(const parser *p) {
    char c = p->text[p->pos];
    return c == '\0' || c == ',' || c == '\n' || c == '#';
}

static void skip_blanks(parser *p) { p->pos += strspn(p->text + p->pos, " \t\r"); }

/* The next word of the step; "" at its end. */
static ct_status next_word(parser *p) {
    skip_blanks(p);
    p->word_at = p->pos;
    size_t n = strcspn(p->text + p->pos, " \t\r\n,#");
    if (n >= MAX_WORD) return fail(p, p->pos, "a word of %zu bytes; wanted under %d", n, MAX_WORD);
    memcpy(p->word, p->text + p->pos, n);
    p->word[n] = '\0';
    p->pos += n;
    return CT_OK;
}

/* ---- values ---- */

static size_t split_words(const char *words, char out[16][24], const char *names[16]) {
    size_t n = 0;
    while (*words && n < 16) {
        size_t length = strcspn(words, " ");
        snprintf(out[n], sizeof out[n], "%.*s", (int)length, words);
        names[n] = out[n];
        n++;
        words += length + strspn(words + length, " ");
    }
    return n;
}

static ct_status set_choice(parser *p, const char *step, const ct__param *d, const char *text, ct__value *v) {
    char names[16][24];
    const char *name[16];
    size_t n = split_words(d->choices, names, name);
    for (size_t i = 0; i < n; i++)
        if (strcmp(name[i], text) == 0) {
            v->v[0] = (double)i;
            v->count = 1;
            return CT_OK;
        }
    const char *near = ct_nearest(text, name, n);
    return fail(p, p->word_at, "%s: %s is \"%.40s\"; wanted one of %s%s%s", step, d->name, text, d->choices,
                near ? "; nearest is " : "", near ? near : "");
}

static ct_status set_numbers(parser *p, const char *step, const ct__param *d, char *text, ct__value *v) {
    const char separator = d->kind == CT__SIZE ? 'x' : ':';
    int32_t most = d->kind == CT__SIZE ? 2 : d->most ? d->most : 1;
    int whole = d->kind != CT__NUMBER;
    v->count = 0;
    for (char *from = text; from; v->count++) {
        char *to = strchr(from, separator);
        if (to) *to = '\0';
        double x;
        if (v->count == most)
            return fail(p, p->word_at, "%s: %s has more than %d number%s; wanted fewer", step, d->name, most,
                        most > 1 ? "s" : "");
        if (!*text) return fail(p, p->word_at, "%s: %s is empty; wanted a number", step, d->name);
        if (!ct_parse_number(from, &x) || !(x >= d->min && x <= d->max) || (whole && x != floor(x)))
            return fail(p, p->word_at, "%s: %s is \"%.40s\"; wanted %s %.9g to %.9g%s", step, d->name, from,
                        whole ? "an integer" : "a number", d->min, d->max,
                        d->kind == CT__SIZE ? ", or WIDTHxHEIGHT" : "");
        v->v[v->count] = x;
        from = to ? to + 1 : NULL;
    }
    return CT_OK;
}

static int find_param(const ct__step_row *row, const char *key) {
    for (int i = 0; row->params[i].name; i++)
        if (strcmp(row->params[i].name, key) == 0) return i;
    return -1;
}

static ct_status no_param(parser *p, const ct__step_row *row, const char *key) {
    const char *names[CT__MAX_PARAMS + 1];
    size_t n = 0;
    while (row->params[n].name) names[n] = row->params[n].name, n++;
    if (n == 0) return fail(p, p->word_at, "%s: no argument %.40s; wanted none", row->name, key);
    const char *near = ct_nearest(key, names, n);
    char list[300] = "";
    for (size_t i = 0, at = 0; i < n; i++)
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%s",
                               i == 0       ? ""
                               : i == n - 1 ? " or "
                                            : ", ",
                               names[i]);
    return fail(p, p->word_at, "%s: no argument %.40s; wanted %s%s%s", row->name, key, list,
                near ? "; nearest is " : "", near ? near : "");
}

static ct_status set_argument(parser *p, ct__step *s, int position) {
    const ct__step_row *row = s->row;
    char *equal = strchr(p->word, '='), *text = equal ? equal + 1 : p->word;
    if (!equal && (position > 0 || row->named || !row->params[0].name))
        return fail(p, p->word_at, "%s: found \"%.40s\"; wanted KEY=VALUE", row->name, p->word);
    if (equal) *equal = '\0';
    int k = equal ? find_param(row, p->word) : 0;
    if (k < 0) return no_param(p, row, p->word);
    const ct__param *d = &row->params[k];
    if (s->value[k].given)
        return fail(p, p->word_at, "%s: %s is given twice; wanted it once", row->name, d->name);
    s->value[k].given = 1;
    return d->kind == CT__CHOICE ? set_choice(p, row->name, d, text, &s->value[k])
                                 : set_numbers(p, row->name, d, text, &s->value[k]);
}

/* ---- steps ---- */

static ct_status find_step(parser *p, ct__step *s) {
    const char *names[64];
    size_t n = 0;
    for (; ct__steps[n] && n < 64; n++) {
        names[n] = ct__steps[n]->name;
        if (strcmp(p->word, names[n]) == 0) s->row = ct__steps[n];
    }
    if (s->row) return CT_OK;
    const char *near = ct_nearest(p->word, names, n);
    return fail(p, p->word_at, "no step \"%.40s\"; wanted %s%s", p->word,
                near ? "another; nearest is " : "one such as resize, center_crop or normalize",
                near ? near : "");
}

static void set_initial(ct__step *s) {
    for (int i = 0; s->row->params[i].name; i++) {
        const ct__param *d = &s->row->params[i];
        s->value[i] = (ct__value){.v = {d->initial[0], d->initial[1]},
                                  .count = d->initial_count ? d->initial_count : 1};
    }
}

static ct_status check_step(parser *p, ct__step *s, size_t at) {
    for (int i = 0; s->row->params[i].name; i++)
        if (s->row->params[i].need && !s->value[i].given)
            return fail(p, at, "%s: %s is not given; wanted %s=VALUE", s->row->name, s->row->params[i].name,
                        s->row->params[i].name);
    ct_err inner = {0};
    if (s->row->check && s->row->check(s, &inner)) return fail(p, at, "%s", inner.text);
    return CT_OK;
}

static ct_status parse_step(parser *p, ct__step *s) {
    ct_status status = next_word(p);
    size_t at = p->word_at;
    if (!status) status = find_step(p, s);
    if (status) return status;
    set_initial(s);
    for (int position = 0; !status; position++) {
        skip_blanks(p);
        if (at_step_end(p)) break;
        status = next_word(p);
        if (!status) status = set_argument(p, s, position);
    }
    return status ? status : check_step(p, s, at);
}

/* Bytes before floats, the batch's steps last. */
static ct_status check_order(parser *p, const ct_transform *t, size_t at) {
    const ct__step *s = &t->step[t->steps - 1];
    for (int32_t i = 0; i < t->steps - 1; i++) {
        const ct__step_row *before = t->step[i].row;
        if (before->takes == CT__BATCH && s->row->takes != CT__BATCH)
            return fail(p, at, "%s after %s; wanted %s last, as it mixes finished pictures", s->row->name,
                        before->name, before->name);
        if (before->takes == CT__TO_FLOAT && s->row->takes == CT__BYTES)
            return fail(p, at, "%s after %s, which made floats; wanted %s before it", s->row->name,
                        before->name, s->row->name);
    }
    return CT_OK;
}

static ct_status parse_list(parser *p, ct_transform *t) {
    int after_comma = 0;
    for (;;) {
        skip_blanks(p);
        char c = p->text[p->pos];
        if (c == '#') p->pos += strcspn(p->text + p->pos, "\n");
        if (c == '\n') p->pos++;
        if (c == '#' || c == '\n') continue;
        if (c == ',' || (c == '\0' && after_comma))
            return fail(p, p->pos, "an empty step; wanted NAME [ARGUMENTS] between commas");
        if (c == '\0') return CT_OK;
        if (t->steps == CT__MAX_STEPS)
            return fail(p, p->pos, "more than %d steps; wanted at most that", CT__MAX_STEPS);
        size_t at = p->pos;
        ct_status s = parse_step(p, &t->step[t->steps++]);
        if (!s) s = check_order(p, t, at);
        if (s) return s;
        after_comma = p->text[p->pos] == ',';
        p->pos += (size_t)after_comma;
    }
}

ct_status ct_transform_parse(const ct_allocator *a, const char *text, ct_transform **out, ct_err *e) {
    ct_transform *t = ct_new(a, sizeof *t);
    if (!t) return ct_fail(e, CT_ELIMIT, "transform: out of memory");
    t->allocator = a;
    parser p = {.text = text ? text : "", .e = e};
    ct_status s = parse_list(&p, t);
    if (s)
        ct_transform_free(t);
    else
        *out = t;
    return s;
}

void ct_transform_free(ct_transform *t) {
    if (t) ct_delete(t->allocator, t, sizeof *t);
}

int32_t ct_transform_steps(const ct_transform *t) { return t ? t->steps : 0; }

int ct_transform_mixes(const ct_transform *t) {
    return t && t->steps && t->step[t->steps - 1].row->takes == CT__BATCH;
}

/* ---- text ---- */

static void write_value(ct_text *out, const ct__param *d, const double *v, int32_t count) {
    if (d->kind == CT__CHOICE) {
        char names[16][24];
        const char *name[16];
        split_words(d->choices, names, name);
        ct_text_add(out, name[(int)v[0]]);
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        if (i) ct_text_add(out, d->kind == CT__SIZE ? "x" : ":");
        ct_text_number(out, v[i]);
    }
}

static int is_initial(const ct__param *d, const ct__value *v) {
    int32_t count = d->initial_count ? d->initial_count : 1;
    return !d->need && v->count == count && memcmp(v->v, d->initial, (size_t)count * sizeof *v->v) == 0;
}

ct_status ct_transform_text(const ct_transform *t, ct_text *out) {
    for (int32_t i = 0; t && i < t->steps; i++) {
        const ct__step *s = &t->step[i];
        ct_text_format(out, "%s%s", i ? ", " : "", s->row->name);
        for (int k = 0; s->row->params[k].name; k++) {
            const ct__param *d = &s->row->params[k];
            if (d->quiet && is_initial(d, &s->value[k])) continue;
            ct_text_format(out, " %s=", d->name);
            write_value(out, d, s->value[k].v, s->value[k].count);
        }
    }
    return out->failed ? CT_ELIMIT : CT_OK;
}

static void write_usage(const ct__step_row *row, ct_text *out) {
    ct_text_add(out, row->name);
    for (int k = 0; row->params[k].name; k++) {
        const ct__param *d = &row->params[k];
        int bare = k == 0 && !row->named;
        ct_text_add(out, d->need ? " " : " [");
        if (!bare) ct_text_format(out, "%s=", d->name);
        if (d->need)
            for (const char *c = d->name; *c; c++) ct_text_format(out, "%c", *c - 'a' + 'A');
        else
            write_value(out, d, d->initial, d->initial_count ? d->initial_count : 1);
        if (!d->need) ct_text_add(out, "]");
    }
}

int ct_transform_help(int32_t index, const char **name, ct_text *usage, ct_text *help) {
    int32_t n = 0;
    while (ct__steps[n]) n++;
    if (index < 0 || index >= n) return 0;
    const ct__step_row *row = ct__steps[index];
    if (name) *name = row->name;
    if (usage) write_usage(row, usage);
    if (!help) return 1;
    ct_text_format(help, "%s\n", row->help);
    for (int k = 0; row->params[k].name; k++) {
        const ct__param *d = &row->params[k];
        ct_text_format(help, "    %s: %s", d->name, d->help);
        if (d->kind == CT__CHOICE)
            ct_text_format(help, " (%s)\n", d->choices);
        else
            ct_text_format(help, " (%s%.9g to %.9g)\n", d->kind == CT__NUMBER ? "" : "whole, ", d->min,
                           d->max);
    }
    return 1;
}
