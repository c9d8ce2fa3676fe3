/* compare.c: is one model better than another? Both were validated on records of the same data; what counts is the
 * difference on each record, not the two means: a paired test sees much smaller differences. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "task/run.h"

/* One record of validation.jsonl. */
typedef struct row {
    const char *record, *label;
    int32_t right; /* prediction == label; -1: it has not both */
    int32_t line;
    double loss; /* NaN: none */
} row;

typedef struct run {
    const ct_files *files;
    const ct_allocator *allocator;
    char path[4200];
    void *bytes;
    uint64_t size;
    ct_arena arena;
    row *rows;
    int64_t count;
    int32_t *slot; /* hash table of places + 1 */
    int64_t slots;
    int32_t failed; /* a text found no memory */
} run;

static ct_status memory(const run *r, ct_err *e) {
    return ct_fail_at(e, CT_ELIMIT, r->path, -1, "out of memory; compare smaller runs");
}

/* ---- reading ---- */

static int is_folder(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static ct_status find(run *r, const char *name, ct_err *e) {
    ct__run paths;
    if (is_folder(name)) {
        if (strlen(name) + 20 > sizeof r->path)
            return ct_fail(e, CT_EIO, "compare: a path of %zu bytes; wanted at most 4,096; use a shorter one",
                           strlen(name));
        snprintf(r->path, sizeof r->path, "%s/validation.jsonl", name);
        return CT_OK;
    }
    struct stat st;
    ct_status s = ct__run_paths(&paths, name, e);
    if (!s) ct__run_path(&paths, "validation.jsonl", r->path);
    if (!s && stat(name, &st) == 0 && stat(r->path, &st) != 0)
        s = ct_fail_at(e, CT_EIO, name, -1,
                       "no %.2000s beside it; wanted a run's folder, or the model beside one; "
                       "give one that cotan train wrote",
                       r->path);
    return s;
}

/* A record, label or prediction as text: 17 and "17" are one. */
static const char *text_of(run *r, const json_t *v) {
    const char *text = NULL;
    if (json_is_string(v)) text = ct_arena_text(&r->arena, json_string_value(v));
    if (json_is_integer(v)) text = ct_arena_format(&r->arena, "%lld", (long long)json_integer_value(v));
    r->failed |= !text && (json_is_string(v) || json_is_integer(v));
    return text;
}

static ct_status read_row(run *r, const char *line, size_t length, int64_t number, row *out, ct_err *e) {
    json_error_t je;
    json_t *v = json_loadb(line, length, JSON_REJECT_DUPLICATES, &je);
    const json_t *loss = json_object_get(v, "loss");
    const char *prediction = text_of(r, json_object_get(v, "prediction"));
    *out = (row){.record = text_of(r, json_object_get(v, "record")),
                 .label = text_of(r, json_object_get(v, "label")),
                 .right = -1,
                 .line = (int32_t)number,
                 .loss = json_is_number(loss) ? json_number_value(loss) : NAN};
    if (out->label && prediction) out->right = strcmp(out->label, prediction) == 0;
    ct_status s = r->failed ? memory(r, e) : CT_OK;
    if (!s && (!v || !json_is_object(v) || !out->record))
        s = ct_fail_line(e, CT_EDATA, r->path, (int32_t)number, 1,
                         "no record; wanted an object with \"record\", as training writes it; train again");
    json_decref(v);
    return s;
}

static int64_t slot_of(const run *r, const char *record) {
    int64_t slot = (int64_t)(ct_hash64(record, strlen(record), 0) & (uint64_t)(r->slots - 1));
    while (r->slot[slot] && strcmp(r->rows[r->slot[slot] - 1].record, record) != 0)
        slot = (slot + 1) & (r->slots - 1);
    return slot;
}

static ct_status index_rows(run *r, ct_err *e) {
    for (r->slots = 4; r->slots < 2 * r->count;) r->slots *= 2;
    r->slot = ct_arena_array(&r->arena, (uint64_t)r->slots, sizeof *r->slot);
    if (!r->slot) return memory(r, e);
    for (int64_t i = 0; i < r->count; i++) {
        int64_t at = slot_of(r, r->rows[i].record);
        char name[80];
        if (r->slot[at])
            return ct_fail_line(e, CT_EDATA, r->path, r->rows[i].line, 1,
                                "record %s stands twice; wanted each once; is it two files in one?",
                                ct_escape(r->rows[i].record, name, sizeof name));
        r->slot[at] = (int32_t)i + 1;
    }
    return CT_OK;
}

static ct_status read_run(run *r, const char *name, ct_err *e) {
    ct_status s = find(r, name, e);
    if (!s) s = ct_file_read(r->files, r->allocator, r->path, (uint64_t)1 << 31, &r->bytes, &r->size, e);
    if (s) return s;
    const char *p = r->bytes, *end = p + r->size;
    int64_t lines = 1;
    for (const char *q = p; q < end; q++) lines += *q == '\n';
    r->rows = ct_arena_array(&r->arena, (uint64_t)lines, sizeof *r->rows);
    if (!r->rows) return memory(r, e);
    for (int64_t number = 1; !s && p < end; number++) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));
        if (!line_end) line_end = end;
        if (line_end > p) {
            s = read_row(r, p, (size_t)(line_end - p), number, &r->rows[r->count], e);
            r->count++;
        }
        p = line_end + 1;
    }
    if (!s && r->count == 0)
        s = ct_fail_at(e, CT_EDATA, r->path, -1, "no records; wanted some; train with a validation part");
    return s ? s : index_rows(r, e);
}

static void close_run(run *r) {
    ct_delete(r->allocator, r->bytes, (size_t)r->size);
    ct_arena_free(&r->arena);
}

/* ---- comparing ---- */

typedef struct pairs {
    int64_t n, gained, lost, right[2]; /* gained: the second is right where the first is wrong */
    double *loss[2];                   /* [n] */
    int labels, losses;                /* all records have them */
} pairs;

static ct_status match(run *a, run *b, pairs *p, ct_err *e) {
    int64_t most = a->count < b->count ? a->count : b->count;
    for (int i = 0; i < 2; i++) {
        p->loss[i] = ct_arena_array(&a->arena, (uint64_t)most, sizeof *p->loss[i]);
        if (!p->loss[i]) return memory(a, e);
    }
    p->labels = p->losses = 1;
    for (int64_t i = 0; i < b->count; i++) {
        int64_t at = slot_of(a, b->rows[i].record);
        char name[80];
        if (!a->slot[at]) continue;
        const row *x = &a->rows[a->slot[at] - 1], *y = &b->rows[i];
        if (x->label && y->label && strcmp(x->label, y->label) != 0)
            return ct_fail(
                e, CT_EDATA,
                "compare: record %s has other labels in %.900s and %.900s; wanted runs on the same data; "
                "compare others",
                ct_escape(y->record, name, sizeof name), a->path, b->path);
        p->labels &= x->right >= 0 && y->right >= 0;
        p->losses &= isfinite(x->loss) && isfinite(y->loss);
        p->gained += y->right == 1 && x->right == 0;
        p->lost += y->right == 0 && x->right == 1;
        p->right[0] += x->right == 1;
        p->right[1] += y->right == 1;
        p->loss[0][p->n] = x->loss;
        p->loss[1][p->n++] = y->loss;
    }
    if (p->n > 0) return CT_OK;
    return ct_fail(
        e, CT_EDATA,
        "compare: %.900s and %.900s have no record in common; wanted runs with one validation part; "
        "train with the same data and seed",
        a->path, b->path);
}

static ct_status by_accuracy(const pairs *p, ct_comparison *out, ct_err *e) {
    ct_test t;
    ct_status s = ct_mcnemar_test(p->gained, p->lost, p->n, &t, e);
    if (s) return s;
    snprintf(out->metric, sizeof out->metric, "accuracy");
    snprintf(out->test, sizeof out->test, "mcnemar");
    out->first = (double)p->right[0] / (double)p->n;
    out->second = (double)p->right[1] / (double)p->n;
    out->difference = t.estimate;
    out->low = t.interval.low, out->high = t.interval.high;
    out->p_value = t.p_value;
    out->better = t.p_value < 0.05 ? t.estimate > 0 ? 2 : 1 : 0;
    return CT_OK;
}

static ct_status by_loss(const ct_allocator *a, const pairs *p, ct_comparison *out, ct_err *e) {
    ct_maths m = {.allocator = a};
    ct_array x = ct_array_view(p->loss[0], CT_F64, CT_SHAPE(p->n)),
             y = ct_array_view(p->loss[1], CT_F64, CT_SHAPE(p->n));
    ct_test t, u;
    ct_status s =
        p->n > 1 ? ct_t_test_paired(&m, &y, &x, CT_TWO_SIDED, &t, e)
                 : ct_fail(e, CT_EDATA,
                           "compare: 1 record in common; wanted at least 2; use a larger validation part");
    if (!s) s = ct_permutation_test(&m, &y, &x, 1, 0, 0, CT_TWO_SIDED, &u, e);
    if (!s) s = ct_stat_mean(&m, &x, &out->first, e);
    if (!s) s = ct_stat_mean(&m, &y, &out->second, e);
    if (s) return s;
    snprintf(out->metric, sizeof out->metric, "loss");
    snprintf(out->test, sizeof out->test, "paired permutation");
    out->difference = t.estimate;
    out->low = t.interval.low, out->high = t.interval.high;
    out->p_value = u.p_value;
    out->better = u.p_value < 0.05 ? t.estimate < 0 ? 2 : 1 : 0;
    return CT_OK;
}

static ct_status judge(const ct_allocator *a, const pairs *p, const char *metric, ct_comparison *out,
                       ct_err *e) {
    if (metric && strcmp(metric, "accuracy") != 0 && strcmp(metric, "loss") != 0)
        return ct_fail(e, CT_EUSAGE, "compare: metric %.40s; wanted accuracy or loss; choose one", metric);
    int accuracy = metric ? strcmp(metric, "accuracy") == 0 : p->labels;
    if (accuracy && !p->labels)
        return ct_fail(
            e, CT_EDATA,
            "compare: records without label or prediction; wanted both for the accuracy; compare the loss");
    if (!accuracy && !p->losses)
        return ct_fail(e, CT_ENONFINITE,
                       "compare: a record's loss is missing or not finite; wanted finite ones; compare the "
                       "accuracy, or train again");
    return accuracy ? by_accuracy(p, out, e) : by_loss(a, p, out, e);
}

ct_status ct_compare_runs(const ct_files *f, const ct_allocator *a, const char *first, const char *second,
                          const char *metric, ct_comparison *out, ct_err *e) {
    run r[2] = {{.files = f, .allocator = a, .arena = {.allocator = a}},
                {.files = f, .allocator = a, .arena = {.allocator = a}}};
    pairs p = {0};
    ct_comparison result = {0};
    ct_status s = read_run(&r[0], first, e);
    if (!s) s = read_run(&r[1], second, e);
    if (!s) s = match(&r[0], &r[1], &p, e);
    if (!s) s = judge(a, &p, metric, &result, e);
    result.pairs = p.n;
    result.records[0] = r[0].count, result.records[1] = r[1].count;
    if (!s) *out = result;
    close_run(&r[0]);
    close_run(&r[1]);
    return s;
}
