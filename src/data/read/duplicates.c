/* duplicates.c: pictures that are the same, and nearly the same.
 *
 * The same pixels have the same hash. Near: every picture has a 16x16 grey thumbnail and, from it, 64 slopes (is
 * the right one of two neighbours of a 9x8 picture brighter?). Copies that were scaled, compressed again or
 * touched up differ in a few slopes. Candidates differ in at most 3 of 64 bits, so of four bands of 16 bits one
 * is equal: sorting by each band brings them together, without comparing all with all. The thumbnails then
 * decide. Pictures of nearly one value are left out: all of them are alike. */
#include <stdlib.h>
#include <string.h>

#include "data/luma.h"
#include "data/read/images.h"

#define SIDE CT__THUMB
#define PIXELS (SIDE * SIDE)
#define MOST_BITS 3
#define MOST_ERROR (4 * 4 * PIXELS) /* sum of squares */
#define BUDGET 500000000            /* comparisons of slopes */

/* ---- what a scan keeps ---- */

static const uint8_t *grey_of(const uint8_t *planes, const int64_t shape[3], ct_scratch *scratch, ct_err *e) {
    int64_t plane = shape[1] * shape[2];
    if (shape[0] != 3) return planes;
    uint8_t *grey = ct__room(scratch, CT__ROOM_ROWS, (uint64_t)plane, e);
    if (grey) ct__grey_planes(planes, plane, grey);
    return grey;
}

static ct_status shrink(const uint8_t *grey, int64_t h, int64_t w, int64_t to_h, int64_t to_w,
                        ct_scratch *scratch, uint8_t *out, ct_err *e) {
    ct__frame f = {
        .data = (void *)(uintptr_t)grey, .c = 1, .h = h, .w = w, .slot = -1, .scratch = scratch, .e = e};
    ct_status s = ct__frame_resize(&f, (ct__box){0, 0, h, w}, to_h, to_w, CT__BILINEAR, CT__BALANCED);
    if (!s) memcpy(out, f.data, (size_t)(to_h * to_w));
    return s;
}

ct_status ct__look_at(ct__record *r, const uint8_t *planes, const int64_t shape[3], ct_scratch *scratch,
                      ct_err *e) {
    uint8_t small[8 * 9];
    const uint8_t *grey = grey_of(planes, shape, scratch, e);
    if (!grey) return CT_ELIMIT;
    ct_status s = shrink(grey, shape[1], shape[2], SIDE, SIDE, scratch, r->thumb, e);
    if (!s) s = shrink(r->thumb, SIDE, SIDE, 8, 9, scratch, small, e);
    r->slopes = 0;
    for (int y = 0; y < 8 && !s; y++)
        for (int x = 0; x < 8; x++) r->slopes = r->slopes << 1 | (small[9 * y + x] < small[9 * y + x + 1]);
    return s;
}

/* ---- pairs ---- */

typedef struct seeker {
    const ct_images *s;
    ct_audit *out;
    uint8_t *part;  /* of each record */
    int64_t *order; /* records, sorted */
    int64_t count;  /* of `order` */
    int64_t *near,
        *across; /* of each record: the first that is near it; the first beyond the test's border; -1 */
    int64_t budget, capacity;
    ct_err *e;
} seeker;

static int is_test(const seeker *q, int64_t i) { return q->part[i] == CT_PART_TEST; }

static ct_status add_pair(seeker *q, int64_t first, int64_t second, int exact) {
    ct_audit *a = q->out;
    int64_t n = a->exact + a->near;
    if (n == q->capacity) {
        int64_t capacity = n ? 2 * n : 64;
        ct_audit_pair *more =
            ct_resize(a->allocator, a->pair, (size_t)n * sizeof *more, (size_t)capacity * sizeof *more);
        if (!more) return ct_fail(q->e, CT_ELIMIT, "audit: out of memory");
        a->pair = more;
        q->capacity = capacity;
    }
    const ct__record *x = &q->s->record[first], *y = &q->s->record[second];
    ct_audit_pair p = {first, second, exact, is_test(q, first) != is_test(q, second), x->label != y->label,
                       0};
    a->pair[n] = p;
    a->exact += exact;
    a->near += !exact;
    a->leaks += p.leak;
    a->conflicts += p.conflict;
    return CT_OK;
}

/* ---- the same pixels ---- */

typedef struct keyed { /* what is sorted */
    uint64_t high, low;
    int64_t record;
} keyed;

static int compare_keyed(const void *a, const void *b) {
    const keyed *x = a, *y = b;
    if (x->high != y->high) return x->high < y->high ? -1 : 1;
    if (x->low != y->low) return x->low < y->low ? -1 : 1;
    return x->record < y->record ? -1 : x->record > y->record;
}

/* A group: each with the first; but where it lies on both sides of the test's border, each with the first from the
 * other side, so that every leak shows. */
static ct_status add_group(seeker *q, const keyed *k, int64_t n) {
    int64_t other = 1;
    while (other < n && is_test(q, k[other].record) == is_test(q, k[0].record)) other++;
    for (int64_t i = 1; i < n; i++) {
        int same = is_test(q, k[i].record) == is_test(q, k[0].record);
        int64_t with = same && other < i ? other : 0;
        ct_status s = add_pair(q, k[with].record, k[i].record, 1);
        if (s) return s;
    }
    return CT_OK;
}

static ct_status find_exact(seeker *q, keyed *k) {
    const ct_images *s = q->s;
    ct_status status = CT_OK;
    for (int64_t i = 0; i < s->count; i++) k[i] = (keyed){s->record[i].hash.high, s->record[i].hash.low, i};
    qsort(k, (size_t)s->count, sizeof *k, compare_keyed);
    for (int64_t i = 0, n; i < s->count && !status; i += n) {
        for (n = 1; i + n < s->count && k[i + n].high == k[i].high && k[i + n].low == k[i].low;) n++;
        q->order[q->count++] = k[i].record;
        status = add_group(q, k + i, n);
    }
    return status;
}

/* ---- nearly the same ---- */

static int has_contrast(const ct__record *r) {
    int64_t sum = 0, square = 0;
    for (int i = 0; i < PIXELS; i++) sum += r->thumb[i], square += r->thumb[i] * r->thumb[i];
    return square * PIXELS - sum * sum > 16 * (int64_t)PIXELS * PIXELS; /* a standard deviation over 4 */
}

static int are_near(const ct__record *a, const ct__record *b) {
    int64_t error = 0;
    if (__builtin_popcountll(a->slopes ^ b->slopes) > MOST_BITS) return 0;
    for (int i = 0; i < PIXELS; i++) {
        int d = a->thumb[i] - b->thumb[i];
        error += d * d;
    }
    return error <= MOST_ERROR;
}

static void note(seeker *q, int64_t a, int64_t b) { /* a < b */
    if (q->near[b] < 0 || a < q->near[b]) q->near[b] = a;
    if (is_test(q, a) == is_test(q, b)) return;
    if (q->across[b] < 0 || a < q->across[b]) q->across[b] = a;
}

/* All in one bucket of a band; pairs that an earlier band has brought together were seen there. */
static void compare_bucket(seeker *q, const keyed *k, int64_t n, int band) {
    for (int64_t i = 0; i < n && q->budget > 0; i++) {
        const ct__record *x = &q->s->record[k[i].record];
        q->budget -= n - i;
        for (int64_t j = i + 1; j < n; j++) {
            const ct__record *y = &q->s->record[k[j].record];
            uint64_t differ = x->slopes ^ y->slopes;
            int seen = 0;
            for (int earlier = 0; earlier < band; earlier++) seen |= !(differ >> (16 * earlier) & 0xffff);
            if (!seen && are_near(x, y)) note(q, k[i].record, k[j].record);
        }
    }
}

static void find_near(seeker *q, keyed *k) {
    int64_t n = 0;
    for (int64_t i = 0; i < q->count; i++)
        if (has_contrast(&q->s->record[q->order[i]])) q->order[n++] = q->order[i];
    q->count = n;
    for (int band = 0; band < 4; band++) {
        for (int64_t i = 0; i < n; i++)
            k[i] = (keyed){q->s->record[q->order[i]].slopes >> (16 * band) & 0xffff, 0, q->order[i]};
        qsort(k, (size_t)n, sizeof *k, compare_keyed);
        for (int64_t i = 0, m; i < n; i += m) {
            for (m = 1; i + m < n && k[i + m].high == k[i].high;) m++;
            compare_bucket(q, k + i, m, band);
        }
    }
    q->out->incomplete = q->budget <= 0;
}

static ct_status add_near(seeker *q) {
    ct_status s = CT_OK;
    for (int64_t i = 0; i < q->s->count && !s; i++)
        if (q->near[i] >= 0) s = add_pair(q, q->across[i] >= 0 ? q->across[i] : q->near[i], i, 0);
    return s;
}

ct_status ct__find_pairs(const ct_images *s, uint64_t seed, ct_audit *out, ct_err *e) {
    const ct_allocator *a = s->allocator;
    uint64_t n = (uint64_t)s->count + 1;
    seeker q = {.s = s, .out = out, .budget = BUDGET, .e = e};
    keyed *k = ct_new_array(a, n, sizeof *k);
    q.part = ct_new_array(a, n, 1);
    q.order = ct_new_array(a, n, sizeof *q.order);
    q.near = ct_new_array(a, n, sizeof *q.near);
    q.across = ct_new_array(a, n, sizeof *q.across);
    ct_status status = CT_OK;
    if (!k || !q.part || !q.order || !q.near || !q.across) {
        status = ct_fail(e, CT_ELIMIT, "audit: out of memory for %lld pictures", (long long)s->count);
    } else {
        for (int64_t i = 0; i < s->count; i++) {
            q.part[i] = (uint8_t)ct_images_part_of(s, seed, i);
            q.near[i] = q.across[i] = -1;
        }
        status = find_exact(&q, k);
        if (!status) {
            find_near(&q, k);
            status = add_near(&q);
        }
    }
    out->room = (uint64_t)q.capacity;
    ct_delete(a, k, n * sizeof *k);
    ct_delete(a, q.part, n);
    ct_delete(a, q.order, n * sizeof *q.order);
    ct_delete(a, q.near, n * sizeof *q.near);
    ct_delete(a, q.across, n * sizeof *q.across);
    return status;
}
