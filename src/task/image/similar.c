/* similar.c: which pictures of a folder look like this one? What the last layer reads is a point for each
 * picture; pictures that the net takes for alike lie in like directions. All of the folder's are kept, and each
 * question goes through them once. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "task/image/folder.h"

typedef struct place { /* where a picture of the folder is */
    const char *path;
    int64_t index;
    dev_t device;
    ino_t inode;
    int32_t file, reserved;
} place;

typedef struct bank {
    const ct_allocator *allocator;
    ct_arena arena;
    place *at;
    float *x;                               /* [count, size], of length 1, or 0 */
    int64_t count, places, rows, size, top; /* places, rows: room in `at`, `x` */
    ct_neighbour *near;                     /* [top] */
    float *one;                             /* [size]: the one that is asked for */
    int (*each)(void *user, const ct_similar *s);
    void *user;
    ct_status status; /* of our own: the walk is stopped then */
} bank;

static int stop(bank *b, ct_status s) {
    b->status = s;
    return 1;
}

static void normalise(const float *from, int64_t n, float *to) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)from[i] * (double)from[i];
    double scale = sum > 0 && isfinite(sum) ? 1 / sqrt(sum) : 0;
    for (int64_t i = 0; i < n; i++) to[i] = scale > 0 ? (float)((double)from[i] * scale) : 0;
}

static void find_inode(place *p) {
    struct stat st;
    if (!p->file || stat(p->path, &st)) return;
    p->device = st.st_dev;
    p->inode = st.st_ino;
}

/* One of the two arrays, where it is full: `each` bytes an entry. */
static int grow(const bank *b, void **array, int64_t *capacity, uint64_t each) {
    int64_t more = *capacity ? 2 * *capacity : 64;
    uint64_t bytes = 0;
    if (b->count < *capacity) return 1;
    if (!ct_mul_ok((uint64_t)more, each, &bytes)) return 0;
    void *grown = ct_resize(b->allocator, *array, (size_t)((uint64_t)*capacity * each), (size_t)bytes);
    if (!grown) return 0;
    *array = grown;
    *capacity = more;
    return 1;
}

static int make_place(bank *b) {
    void *at = b->at, *x = b->x;
    int ok = grow(b, &at, &b->places, sizeof *b->at);
    if (ok) ok = grow(b, &x, &b->rows, (uint64_t)b->size * sizeof *b->x);
    b->at = at;
    b->x = x;
    return ok;
}

static int tell_error(bank *b, const ct_prediction *p) {
    ct_similar s = {.path = p->path, .index = p->index, .file = p->file, .error = p->error};
    return b->each(b->user, &s) ? stop(b, CT_ECANCEL) : 0;
}

static int keep(void *user, const ct_prediction *p) {
    bank *b = user;
    if (p->error) return tell_error(b, p);
    b->size = p->features;
    if (!make_place(b)) return stop(b, CT_ELIMIT);
    place *at = &b->at[b->count];
    *at = (place){.path = ct_arena_text(&b->arena, p->path), .index = p->index, .file = p->file};
    if (!at->path) return stop(b, CT_ELIMIT);
    find_inode(at);
    normalise(p->feature, b->size, b->x + b->count++ * b->size);
    return 0;
}

static int is_same(const place *a, const place *b) {
    if (a->file != b->file) return 0;
    if (a->file && a->inode) return a->device == b->device && a->inode == b->inode;
    return a->index == b->index && strcmp(a->path, b->path) == 0;
}

/* Keeps near[0..n-1] sorted; the new n. */
static int64_t insert(bank *b, int64_t n, int64_t i, double similarity) {
    if (n == b->top && similarity <= b->near[n - 1].similarity) return n;
    int64_t k = n < b->top ? n++ : n - 1;
    for (; k > 0 && b->near[k - 1].similarity < similarity; k--) b->near[k] = b->near[k - 1];
    b->near[k] = (ct_neighbour){b->at[i].path, b->at[i].index, similarity, b->at[i].file, 0};
    return n;
}

static int answer(void *user, const ct_prediction *p) {
    bank *b = user;
    place own = {.path = p->path, .index = p->index, .file = p->file};
    ct_similar s = {.path = p->path, .index = p->index, .file = p->file, .near = b->near};
    if (p->error) return tell_error(b, p);
    find_inode(&own);
    normalise(p->feature, b->size, b->one);
    for (int64_t i = 0; i < b->count; i++) {
        double sum = 0;
        if (is_same(&own, &b->at[i])) continue;
        for (int64_t k = 0; k < b->size; k++) sum += (double)b->one[k] * (double)b->x[i * b->size + k];
        s.count = insert(b, s.count, i, sum > 1 ? 1 : sum < -1 ? -1 : sum);
    }
    return b->each(b->user, &s) ? stop(b, CT_ECANCEL) : 0;
}

static ct_status walk(bank *b, ct_model *m, const char *layer, const char *const *path, int64_t n,
                      int (*each)(void *user, const ct_prediction *p), ct_err *e) {
    ct_predict_options o = {.layer = layer ? layer : ""};
    ct_err inner = {0};
    ct_status s = ct_predict_images_with(m, path, n, &o, each, b, &inner);
    if (b->status == CT_ELIMIT)
        return ct_fail(e, CT_ELIMIT, "similar: out of memory for %lld pictures", (long long)b->count);
    if (s && e && (!e->status || s != CT_EDATA)) *e = inner;
    return s;
}

static void close(bank *b) {
    ct_delete(b->allocator, b->at, (size_t)b->places * sizeof *b->at);
    ct_delete(b->allocator, b->x, (size_t)(b->rows * b->size) * sizeof *b->x);
    ct_delete(b->allocator, b->near, (size_t)b->top * sizeof *b->near);
    ct_delete(b->allocator, b->one, (size_t)b->size * sizeof *b->one);
    ct_arena_free(&b->arena);
}

ct_status ct_similar_images(ct_model *m, const char *layer, const char *const *path, int64_t n,
                            const char *folder, int64_t top, int (*each)(void *user, const ct_similar *s),
                            void *user, ct_err *e) {
    const ct_allocator *a = ct_allocator_of(ct_model_context(m));
    bank b = {.allocator = a, .each = each, .user = user, .arena = {.allocator = a}};
    if (top < 0 || top > 1000000)
        return ct_fail(e, CT_EUSAGE, "similar: the nearest %lld; wanted 1 to 1000000; give fewer",
                       (long long)top);
    ct_status broken = walk(&b, m, layer, &folder, 1, keep, e), s = broken == CT_EDATA ? CT_OK : broken;
    if (!s && b.count == 0)
        s = broken ? broken
                   : ct_fail_at(e, CT_EDATA, folder, -1,
                                "no pictures; wanted some to compare with; give another folder");
    b.top = top ? top : 5;
    b.near = ct_new_array(a, (uint64_t)b.top, sizeof *b.near);
    b.one = ct_new_array(a, (uint64_t)b.size, sizeof *b.one);
    if (!s && (!b.near || !b.one)) s = ct_fail(e, CT_ELIMIT, "similar: out of memory");
    if (!s) s = walk(&b, m, layer, path, n, answer, e);
    close(&b);
    return s ? s : broken;
}
