/* audit.c: what a set of pictures is, before anybody trains on it. Kinds and sizes are counted over all parts, for a
 * file of the test part must be readable too; what is said of classes is said of the training part, and of the test
 * part pixels are compared with others to find leaks. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/read/images.h"

static int compare_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void count_kinds(const ct_images *s, ct_audit *a) {
    for (int64_t i = 0; i < s->count; i++) {
        const ct__record *r = &s->record[i];
        a->grey += r->channels == 1;
        a->colour += r->channels == 3;
        a->alpha += r->alpha;
        a->palette += r->palette;
        a->deep += r->depth == 16;
        a->turned += r->turn > 1;
        a->tiny += r->width < 16 || r->height < 16;
        a->formats[r->format < 5 ? r->format : 0]++;
    }
}

/* Sorted heights, widths, and sizes as one number. */
static void measure(const ct_images *s, ct_audit *a, int64_t *v) {
    int64_t n = s->count, last = n - 1;
    for (int64_t i = 0; i < n; i++) v[i] = s->record[i].height;
    qsort(v, (size_t)n, sizeof *v, compare_number);
    a->height_min = v[0];
    a->height_median = v[n / 2];
    a->height_max = v[last];
    for (int64_t i = 0; i < n; i++) v[i] = s->record[i].width;
    qsort(v, (size_t)n, sizeof *v, compare_number);
    a->width_min = v[0];
    a->width_median = v[n / 2];
    a->width_max = v[last];
    for (int64_t i = 0; i < n; i++) v[i] = (int64_t)s->record[i].width << 32 | s->record[i].height;
    qsort(v, (size_t)n, sizeof *v, compare_number);
    for (int64_t i = 0, m; i < n; i += m) {
        for (m = 1; i + m < n && v[i + m] == v[i];) m++;
        a->sizes++;
        if (m <= a->size_count) continue;
        a->size_count = m;
        a->size_width = v[i] >> 32;
        a->size_height = v[i] & 0xffffffff;
    }
}

static void count_classes(const ct_images *s, uint64_t seed, ct_audit *a) {
    for (int64_t i = 0; i < s->count; i++) {
        ct_audit_class *c = &a->each[s->record[i].label];
        int32_t part = ct_images_part_of(s, seed, i);
        c->train += part == CT_PART_TRAIN;
        c->validation += part == CT_PART_VALIDATION;
        c->test += part == CT_PART_TEST;
    }
    a->class_min = a->class_max = a->each[0].train;
    for (int64_t k = 0; k < s->n_classes; k++) {
        if (a->each[k].train < a->class_min) a->class_min = a->each[k].train;
        if (a->each[k].train > a->class_max) a->class_max = a->each[k].train;
        a->tiny_classes += a->each[k].train < 10;
    }
}

ct_status ct_audit_images(const ct_images *s, uint64_t seed, ct_audit *out, ct_err *e) {
    ct_audit a = {.allocator = s->allocator,
                  .listed = s->listed,
                  .pictures = s->count,
                  .broken = s->broken,
                  .links = s->links,
                  .other = s->other,
                  .classes = s->n_classes};
    if (s->scanned < 2)
        return ct_fail(e, CT_EUSAGE, "%s: its pixels are not scanned; wanted them; call ct_images_scan first",
                       s->name);
    int64_t *v = ct_new_array(s->allocator, (uint64_t)s->count, sizeof *v);
    a.each = ct_new_array(s->allocator, (uint64_t)s->n_classes, sizeof *a.each);
    ct_status status = v && a.each ? CT_OK : ct_fail(e, CT_ELIMIT, "audit: out of memory");
    if (!status) {
        count_kinds(s, &a);
        measure(s, &a, v);
        count_classes(s, seed, &a);
        status = ct__find_pairs(s, seed, &a, e);
    }
    ct_delete(s->allocator, v, (size_t)s->count * sizeof *v);
    if (status)
        ct_audit_free(&a);
    else
        *out = a;
    return status;
}

void ct_audit_free(ct_audit *a) {
    ct_delete(a->allocator, a->each, (size_t)a->classes * sizeof *a->each);
    ct_delete(a->allocator, a->pair, (size_t)a->room * sizeof *a->pair);
    a->each = NULL;
    a->pair = NULL;
}

/* ---- in words ---- */

typedef struct words {
    void (*each)(void *user, const char *sentence);
    void *user;
} words;

static CT_PRINTF(2, 3) void say(const words *w, const char *format, ...) {
    char text[700], safe[800];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    w->each(w->user, ct_escape(text, safe, sizeof safe));
}

static const char *name_of(const ct_images *s, int64_t i, char out[40]) {
    if (s->record[i].path) return s->record[i].path;
    static const char *const parts[] = {"", "train ", "test ", "validation "};
    snprintf(out, 40, "%srecord %lld", parts[s->record[i].part & 3], (long long)s->record[i].number);
    return out;
}

static const ct_audit_pair *first_pair(const ct_audit *a, int leak, int conflict, int exact) {
    for (int64_t i = 0; i < a->exact + a->near; i++) {
        const ct_audit_pair *p = &a->pair[i];
        if ((!leak || p->leak) && (!conflict || p->conflict) && p->exact == exact) return p;
    }
    return NULL;
}

static int64_t count_pairs(const ct_audit *a, int leak, int conflict, int exact) {
    int64_t n = 0;
    for (int64_t i = 0; i < a->exact + a->near; i++) {
        const ct_audit_pair *p = &a->pair[i];
        n += (!leak || p->leak) && (!conflict || p->conflict) && p->exact == exact;
    }
    return n;
}

static void say_pairs(const words *w, const ct_audit *a, const ct_images *s, int leak, int conflict,
                      int exact, const char *what, const char *details) {
    const ct_audit_pair *p = first_pair(a, leak, conflict, exact);
    char x[40], y[40];
    int64_t n = count_pairs(a, leak, conflict, exact);
    if (p)
        say(w, "%lld %s%s%s, such as %.200s and %.200s", (long long)n, what, n == 1 ? "" : "s", details,
            name_of(s, p->first, x), name_of(s, p->second, y));
}

static void say_classes(const words *w, const ct_audit *a, const ct_images *s) {
    int64_t least = 0, most = 0;
    for (int64_t k = 0; k < a->classes; k++) {
        if (a->each[k].train < a->each[least].train) least = k;
        if (a->each[k].train > a->each[most].train) most = k;
    }
    if (a->classes == 1) say(w, "there is one class only: a net has nothing to tell apart");
    if (a->tiny_classes)
        say(w,
            "%lld of %lld classes %s fewer than 10 training pictures, the least %.60s with %lld: %s scores "
            "will mean little",
            (long long)a->tiny_classes, (long long)a->classes, a->tiny_classes == 1 ? "has" : "have",
            s->classes[least], (long long)a->class_min, a->tiny_classes == 1 ? "its" : "their");
    if (a->class_max > 5 * a->class_min && a->class_max >= 10)
        say(w,
            "classes are unequal: %.60s has %lld training pictures, %.60s %lld; look at the F1 of each, not "
            "at accuracy alone",
            s->classes[most], (long long)a->class_max, s->classes[least], (long long)a->class_min);
}

void ct_audit_findings(const ct_audit *a, const ct_images *s, void (*each)(void *user, const char *sentence),
                       void *user) {
    words w = {each, user};
    say_classes(&w, a, s);
    say_pairs(&w, a, s, 1, 0, 1, "leak", ": the same picture in the test part and outside of it");
    say_pairs(&w, a, s, 1, 0, 0, "likely leak",
              ": nearly the same picture in the test part and outside of it");
    say_pairs(&w, a, s, 0, 1, 1, "contradiction", ": the same picture under two labels");
    say_pairs(&w, a, s, 0, 1, 0, "likely contradiction", ": nearly the same picture under two labels");
    say_pairs(&w, a, s, 0, 0, 1, "duplicate", ": pictures with the same pixels");
    say_pairs(&w, a, s, 0, 0, 0, "near duplicate", "");
    if (a->incomplete)
        say(&w, "too many pictures look alike to compare them all: there may be more near duplicates");
    if (a->broken) say(&w, "broken and passed over: %lld", (long long)a->broken);
    if (a->links) say(&w, "symbolic links passed over: %lld; --follow-links reads them", (long long)a->links);
    if (a->tiny) say(&w, "pictures with a side under 16 pixels: %lld", (long long)a->tiny);
    if (a->alpha)
        say(&w, "%lld picture%s transparent, and laid on the background (white unless chosen)",
            (long long)a->alpha, a->alpha == 1 ? " is" : "s are");
}
