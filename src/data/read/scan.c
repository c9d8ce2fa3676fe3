/* scan.c: every picture once, by several threads: what is broken is found before training begins, and sizes, hashes,
 * thumbnails and the cache come from the same reading. Threads take records from a counter and write to their own
 * record only; what is told and counted afterwards goes by the order of records, so nothing depends on threads. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "data/read/images.h"

#define MAX_THREADS 64

typedef struct scan {
    ct_images *s;
    const ct_transform *t;
    int32_t prefix, pixels;
    _Atomic uint64_t kept; /* bytes */
    _Atomic int64_t next;
    _Atomic int32_t stop;
    pthread_mutex_t lock; /* of `error` */
    ct_err error;         /* of the first record that ends the scan */
    int64_t error_at;
    ct_status status;
} scan;

/* ---- one record ---- */

/* A broken picture is noted, and no reason to end. */
static ct_status break_record(scan *q, ct__record *r, const ct_err *e) {
    pthread_mutex_lock(&q->s->lock);
    r->error = ct_arena_text(&q->s->arena, e->text);
    pthread_mutex_unlock(&q->s->lock);
    if (!r->error) r->error = "broken, and no memory to say how";
    r->state = CT__BROKEN;
    return CT_OK;
}

static ct_status hand_on(const ct_err *why, ct_err *e) {
    if (e && !e->status) *e = *why;
    return (ct_status)why->status;
}

static void fill(ct__record *r, const ct_picture_info *f) {
    r->width = (int32_t)f->width;
    r->height = (int32_t)f->height;
    r->format = (uint8_t)f->format;
    r->channels = (uint8_t)f->channels;
    r->depth = (uint8_t)f->depth;
    r->alpha = (uint8_t)f->alpha;
    r->palette = (uint8_t)f->palette;
    r->turn = (uint8_t)f->turn;
}

static void add_up(ct__record *r, const uint8_t *x, const int64_t shape[3]) {
    int64_t plane = shape[1] * shape[2];
    r->pixels = (uint64_t)plane;
    for (int64_t c = 0; c < shape[0] && c < 3; c++) {
        uint64_t sum = 0, square = 0;
        for (int64_t i = 0; i < plane; i++) {
            uint32_t v = x[c * plane + i];
            sum += v;
            square += v * v;
        }
        r->sum[c] = sum;
        r->square[c] = square;
    }
}

static int is_wanted(const ct_images *s, const ct__record *r) {
    if (s->in_arrays) return 0;
    return !s->o.cache_parts || r->part == CT_PART_NONE || (s->o.cache_parts >> r->part & 1);
}

/* What the steps that draw nothing make: its sums, and itself where the cache has room. A transform that does not fit
 * this picture is the source's to refuse. */
static ct_status first_steps(scan *q, ct__record *r, ct_scratch *scratch, const uint8_t *planes,
                             const int64_t shape[3], ct_err *e) {
    ct_array made;
    int64_t after[3];
    uint64_t limit = is_wanted(q->s, r) ? q->s->o.cache : 0;
    if (ct__transform_shape(q->t, q->prefix, shape, after, NULL)) return CT_OK;
    ct_status status = ct__transform_bytes(q->t, q->prefix, scratch, planes, shape, (ct_draw){0, -1, 0},
                                           q->s->allocator, &made, e);
    if (status) return status;
    add_up(r, made.data, made.dim);
    if (atomic_fetch_add(&q->kept, made.owned) + made.owned <= limit) {
        r->kept = made.data;
        r->kept_bytes = made.owned;
        return CT_OK;
    }
    atomic_fetch_sub(&q->kept, made.owned);
    ct_array_free(&made);
    return CT_OK;
}

static ct_status look(scan *q, ct__record *r, ct_scratch *scratch, const uint8_t *planes,
                      const int64_t shape[3], ct_err *e) {
    ct_hash128 pixels = ct_hash_bytes(planes, (size_t)(shape[0] * shape[1] * shape[2]));
    uint64_t all[5] = {pixels.low, pixels.high, (uint64_t)shape[0], (uint64_t)shape[1], (uint64_t)shape[2]};
    r->hash = ct_hash_bytes(all, sizeof all);
    ct_status status = ct__look_at(r, planes, shape, scratch, e);
    return status ? status : first_steps(q, r, scratch, planes, shape, e);
}

static ct_status scan_file(scan *q, ct__record *r, ct_scratch *scratch, ct_err *e) {
    char path[CT__PATH];
    uint8_t *data = NULL, *planes;
    int64_t shape[3];
    int over = 0;
    ct_err why = {0};
    ct_picture_info info;
    ct_picture_options o = q->s->o.picture;
    if (q->pixels) o.channels = (int32_t)q->s->channels;
    ct_status status = ct__images_file(q->s, r->path, path, e);
    if (status) return status;
    status = ct__slurp(q->s->files, scratch, path, &data, &r->stamp, &over, &why);
    if (status && !over) return hand_on(&why, e);
    uint64_t bytes = (uint64_t)r->stamp.bytes;
    r->state = ct_picture_likely(r->path, data, bytes) ? CT__GOOD : CT__OTHER;
    if (r->state == CT__OTHER) return CT_OK;
    if (over || ct_picture_probe(data, bytes, path, &o, &info, &why)) return break_record(q, r, &why);
    if (q->pixels)
        status = ct__picture_decode(scratch, data, bytes, path, &o, NULL, NULL, &planes, shape, &info, &why);
    if (status == CT_EDATA) return break_record(q, r, &why);
    if (status) return hand_on(&why, e);
    fill(r, &info);
    return q->pixels ? look(q, r, scratch, planes, shape, e) : CT_OK;
}

static ct_status scan_one(scan *q, int64_t i, ct_scratch *scratch, ct_err *e) {
    ct__record *r = &q->s->record[i];
    uint8_t *planes;
    int64_t shape[3];
    if (!q->s->in_arrays) return scan_file(q, r, scratch, e);
    r->state = CT__GOOD;
    ct_status status = ct__images_planes(q->s, i, scratch, &planes, shape, e);
    return status || !q->pixels ? status : look(q, r, scratch, planes, shape, e);
}

/* ---- all ---- */

static void note_error(scan *q, int64_t i, ct_status status, const ct_err *e) {
    pthread_mutex_lock(&q->lock);
    if (!q->status || i < q->error_at) {
        q->status = status;
        q->error = *e;
        q->error_at = i;
    }
    pthread_mutex_unlock(&q->lock);
    atomic_store(&q->stop, 1);
}

/* A thread's part: records until there are no more. */
static void work(void *job, int64_t number, int32_t thread) {
    scan *q = job;
    ct_err e = {0};
    (void)number;
    ct_scratch *scratch = ct__scratches_take(&q->s->scratches, &e);
    if (!scratch) note_error(q, 0, CT_ELIMIT, &e);
    while (scratch && !atomic_load(&q->stop)) {
        int64_t i = atomic_fetch_add(&q->next, 1);
        if (i >= q->s->count) break;
        ct_status status = scan_one(q, i, scratch, &e);
        if (!status && q->s->o.stop && *q->s->o.stop)
            status =
                ct_fail(&e, CT_ECANCEL, "%s: stopped while reading the pictures; wanted to go on; begin anew",
                        q->s->name);
        if (status) note_error(q, i, status, &e);
        if (thread == 0 && q->s->o.progress) {
            int64_t done = atomic_load(&q->next);
            q->s->o.progress(q->s->o.user, done < q->s->count ? done : q->s->count, q->s->count);
        }
    }
    if (scratch) ct__scratches_give(&q->s->scratches, scratch);
}

/* ---- afterwards ---- */

/* Named, counted, taken out. */
static void take_out(ct_images *s) {
    int64_t kept = 0;
    for (int64_t i = 0; i < s->count; i++) {
        ct__record *r = &s->record[i];
        if (r->state == CT__BROKEN) {
            ct__images_tell(s, "%s; passed over", r->error);
            s->broken++;
        } else if (r->state == CT__OTHER) {
            s->other++;
        } else {
            s->record[kept++] = *r;
        }
    }
    s->count = kept;
}

static const ct__record *first_broken(const ct_images *s, int64_t *broken, int64_t *pictures) {
    const ct__record *first = NULL;
    for (int64_t i = 0; i < s->count; i++) {
        *pictures += s->record[i].state != CT__OTHER;
        if (s->record[i].state != CT__BROKEN) continue;
        if (!(*broken)++) first = &s->record[i];
    }
    return first;
}

static ct_status check_broken(const ct_images *s, ct_err *e) {
    int64_t broken = s->broken, pictures = s->broken, before = s->broken;
    const ct__record *first = first_broken(s, &broken, &pictures);
    if (!first && broken == before) return CT_OK;
    if (s->o.strict && first) return ct_fail(e, CT_EDATA, "%s", first->error);
    if (s->o.allow_broken || broken * 100 <= pictures || !first) return CT_OK;
    return ct_fail(e, CT_EDATA,
                   "%s: %lld of %lld pictures are broken; wanted at most 1 %%; mend them, or give "
                   "--allow-broken; the first: "
                   "%s",
                   s->name, (long long)broken, (long long)pictures, first->error);
}

static ct_status check_classes(const ct_images *s, ct_err *e) {
    if (s->count == 0)
        return ct_fail_at(e, CT_EDATA, s->name, -1, "no pictures; wanted at least one; check the path");
    if (s->o.unlabelled || s->in_arrays || s->o.limit || s->matched) return CT_OK;
    uint8_t *seen = ct_new(s->allocator, (size_t)s->n_classes + 1);
    if (!seen) return ct_fail(e, CT_ELIMIT, "%s: out of memory", s->name);
    for (int64_t i = 0; i < s->count; i++) seen[s->record[i].label] = 1;
    int64_t empty = 0;
    while (empty < s->n_classes && seen[empty]) empty++;
    ct_delete(s->allocator, seen, (size_t)s->n_classes + 1);
    if (empty == s->n_classes) return CT_OK;
    return ct__class_empty(s->name, s->classes[empty], e);
}

static void settle_channels(ct_images *s) {
    if (s->channels) return;
    s->channels = 1;
    for (int64_t i = 0; i < s->count; i++)
        if (s->record[i].channels > s->channels) s->channels = s->record[i].channels;
}

/* What a scan that did not end has kept. */
static void drop_kept(ct_images *s) {
    for (int64_t i = 0; i < s->count; i++) {
        ct_delete(s->allocator, s->record[i].kept, (size_t)s->record[i].kept_bytes);
        s->record[i].kept = NULL;
    }
}

static ct_status pass(ct_images *s, const ct_transform *t, int pixels, ct_err *e) {
    scan q = {.s = s, .t = t, .pixels = pixels, .lock = PTHREAD_MUTEX_INITIALIZER};
    q.prefix = ct__transform_prefix(t);
    if (s->scanned < 2) drop_kept(s);
    if (pixels) {
        uint8_t *thumbs = ct_arena_array(&s->arena, (uint64_t)s->count, CT__THUMB * CT__THUMB);
        s->prefix = ct__prefix_text(s, t);
        if (!thumbs || !s->prefix) return ct_fail(e, CT_ELIMIT, "%s: out of memory", s->name);
        for (int64_t i = 0; i < s->count; i++) s->record[i].thumb = thumbs + i * CT__THUMB * CT__THUMB;
    }
    int64_t threads = s->o.threads < 2 ? 1 : s->o.threads > MAX_THREADS ? MAX_THREADS : s->o.threads;
    ct_status status = ct_parallel(s->allocator, (int32_t)threads, work, &q, threads, e);
    pthread_mutex_destroy(&q.lock);
    if (q.status) return hand_on(&q.error, e);
    if (!status) status = check_broken(s, e);
    if (status) return status;
    take_out(s);
    settle_channels(s);
    if (s->scanned < 1 + pixels) s->scanned = 1 + pixels;
    return check_classes(s, e);
}

/* Grey or colour must be known before pixels are hashed or kept. */
ct_status ct_images_scan(ct_images *s, const ct_transform *t, int sizes_only, ct_err *e) {
    ct_status status = CT_OK;
    if (s->scanned == 2 && !sizes_only)
        return ct_fail(e, CT_EUSAGE, "%s: its pixels are scanned already; wanted once; open it anew",
                       s->name);
    if (sizes_only || !s->channels) status = pass(s, t, 0, e);
    if (!status && !sizes_only) status = pass(s, t, 1, e);
    ct__scratches_empty(&s->scratches); /* the largest picture need not stay in memory */
    return status;
}
