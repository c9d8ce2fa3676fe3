/* attrs.c: attribute values: defaults, ranges, option structs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"

int32_t ct__attrs_count(const ct__op *op) {
    int32_t n = 0;
    while (op->attrs && op->attrs[n].name) n++;
    return n;
}

const ct__ints *ct__list_copy(ct_arena *a, const int64_t *v, int32_t count) {
    ct__ints *list = ct_arena_new(a, sizeof *list);
    if (!list || count < 0 || count > 16) return NULL;
    if (count) memcpy(list->v, v, (size_t)count * sizeof *v);
    list->count = count;
    return list;
}

static int32_t choice_count(const char *choices) {
    int32_t n = 1;
    for (; *choices; choices++) n += *choices == '|';
    return n;
}

static ct_status bad(const ct__op *op, const char *name, ct_err *e, const char *text) {
    if (name && name[0]) return ct_fail(e, CT_EUSAGE, "%s \"%s\": %s", op->name, name, text);
    return ct_fail(e, CT_EUSAGE, "%s: %s", op->name, text);
}

static ct_status check_range(const ct__op *op, const char *name, const ct__attr *a, ct__value v, ct_err *e) {
    char text[300];
    double x = a->type == CT__FLOAT ? v.f : (double)v.i;
    double min = a->type == CT__CHOICE ? 0 : a->min,
           max = a->type == CT__CHOICE ? choice_count(a->choices) - 1 : a->max;
    if (x >= min && x <= max) return CT_OK;
    if (a->type == CT__CHOICE)
        snprintf(text, sizeof text, "%s is %lld; wanted one of %s; choose one", a->name, (long long)v.i,
                 a->choices);
    else if (a->type == CT__INT)
        snprintf(text, sizeof text, "%s is %lld; wanted %.0f to %.0f; change it", a->name, (long long)v.i,
                 min, max);
    else
        snprintf(text, sizeof text, "%s is %.9g; wanted %.9g to %.9g; change it", a->name, x, min, max);
    return bad(op, name, e, text);
}

ct_status ct__attrs_complete(const ct__op *op, const char *name, ct__value *attr, const uint8_t *given,
                             ct_err *e) {
    for (int32_t i = 0; op->attrs && op->attrs[i].name; i++) {
        const ct__attr *a = &op->attrs[i];
        char text[200];
        if (!given[i]) {
            if (a->def == CT__NODEF) {
                snprintf(text, sizeof text, "%s is not given; wanted a number; give %.120s", a->name,
                         a->help);
                return bad(op, name, e, text);
            }
            if (a->type == CT__FLOAT) attr[i].f = a->def;
            if (a->type == CT__INT || a->type == CT__CHOICE) attr[i].i = (int64_t)a->def;
            if (a->type == CT__TEXT) attr[i].s = NULL;
            if (a->type == CT__LIST) attr[i].list = NULL;
            continue;
        }
        if (a->type == CT__TEXT || a->type == CT__LIST) continue;
        ct_status s = check_range(op, name, a, attr[i], e);
        if (s) return s;
    }
    return CT_OK;
}
