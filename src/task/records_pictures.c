/* records_pictures.c: a folder of pictures as records of numbers: every picture [C,H,W] after the transform is a row of
 * C*H*W floats, its class the target. Pictures that the folder keeps for the test are left out where components are
 * learnt. Where they are applied it may also be a picture or an idx file. Decoding runs ahead in threads. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "task/image/data.h"
#include "task/records.h"

enum { BATCH = 32, LARGEST = 64 };

struct ct__picture_rows {
    ct_images *set; /* NULL: `array` */
    ct_array array; /* [N,H,W] or [N,C,H,W] u8 */
    ct_transform *transform;
    ct_source source;
    ct_loader *loader;
    ct_batch batch;
    int64_t *index, n, used; /* records; rows of the batch that were given out */
    int32_t threads, reserved;
};

static ct_status memory(const ct__records *r, ct_err *e) {
    return ct_fail_at(e, CT_ELIMIT, r->path, -1, "out of memory; use fewer or smaller pictures");
}

int ct__records_folder(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* ---- opening ---- */

static ct_status list(ct__records *r, int whole, ct_err *e) {
    struct ct__picture_rows *p = r->pictures;
    int64_t count = ct_images_count(p->set);
    ct_image image;
    p->index = ct_arena_array(&r->arena, (uint64_t)count + 1, sizeof *p->index);
    if (!p->index) return memory(r, e);
    for (int64_t i = 0; i < count; i++) {
        (void)ct_images_at(p->set, i, &image);
        if (whole || image.part != CT_PART_TEST) p->index[p->n++] = i;
    }
    if (p->n > 0) return CT_OK;
    return ct_fail_at(e, CT_EDATA, r->path, -1,
                      "0 pictures beside those for the test; wanted some; is it the right folder?");
}

/* Pictures of one size up to 64 x 64 stay as they are; all else becomes squares of 32. */
static const char *default_transform(const struct ct__picture_rows *p) {
    ct_image image, first;
    (void)ct_images_at(p->set, p->index[0], &first);
    for (int64_t i = 0; i < p->n; i++) {
        (void)ct_images_at(p->set, p->index[i], &image);
        if (image.width != first.width || image.height != first.height) return "resize 32x32";
    }
    return first.width <= LARGEST && first.height <= LARGEST ? "to_tensor" : "resize 32x32";
}

static ct_status take_transform(ct__records *r, const char *text, ct_err *e) {
    struct ct__picture_rows *p = r->pictures;
    ct_text canonical = {.allocator = r->allocator};
    ct_status s = ct_transform_parse(r->allocator, text ? text : default_transform(p), &p->transform, e);
    if (!s) s = ct_transform_text(p->transform, &canonical) ? memory(r, e) : CT_OK;
    if (!s) r->transform = ct_arena_text(&r->arena, canonical.data ? canonical.data : "");
    ct_text_free(&canonical);
    return s ? s : r->transform ? CT_OK : memory(r, e);
}

static ct_status take_classes(ct__records *r, ct_err *e) {
    int64_t n = ct_images_classes(r->pictures->set);
    if (n < 2) return CT_OK;
    r->label = ct_new_array(r->allocator, (uint64_t)n, sizeof *r->label);
    if (!r->label) return memory(r, e);
    r->labels = r->room = n;
    for (int64_t i = 0; i < n; i++) r->label[i] = ct_images_class(r->pictures->set, i);
    r->target = 0;
    r->target_name = "class";
    return CT_OK;
}

static ct_status take_source(ct__records *r, ct_err *e) {
    struct ct__picture_rows *p = r->pictures;
    ct_status s = p->set ? ct_images_source(p->set, p->index, p->n, p->transform, &p->source, e)
                         : ct_source_images(r->allocator, &p->array, NULL, p->transform, &p->source, e);
    if (s) return s;
    const ct_shape *shape = &p->source.field[0].shape;
    r->features = 1;
    for (int i = 0; i < 3; i++) {
        r->planes[i] = shape->dim[i];
        r->features *= shape->dim[i];
    }
    r->channels = p->set               ? (int32_t)ct_images_channels(p->set)
                  : p->array.rank == 4 ? (int32_t)p->array.dim[1]
                                       : 1;
    r->count = p->n;
    r->dtype = CT_F32;
    return ct__pictures_rewind(r, e);
}

static ct_status open_and_scan(ct__records *r, const ct_images_options *o, ct_err *e) {
    ct_images **set = &r->pictures->set;
    ct_status s = ct_images_open(r->files, r->allocator, r->path, o, set, e);
    if (!s) s = ct_images_scan(*set, NULL, 1, e);
    if (s) {
        ct_images_close(*set);
        *set = NULL;
    }
    return s;
}

/* A folder of arrays has its labels beside them and is opened with these; where they are not asked for they are not used. */
static ct_status open_set(ct__records *r, ct_images_options *o, ct_err *e) {
    ct_err own = {0};
    ct_status s = open_and_scan(r, o, &own);
    if (s == CT_EDATA && o->unlabelled && ct__records_folder(r->path)) {
        o->unlabelled = 0;
        if (open_and_scan(r, o, NULL) == CT_OK) return CT_OK;
    }
    if (s && e) *e = own;
    return s;
}

ct_status ct__pictures_array(ct__records *r, const ct__records_options *o, ct_err *e) {
    struct ct__picture_rows *p = r->pictures = ct_arena_array(&r->arena, 1, sizeof *r->pictures);
    if (!p) return memory(r, e);
    ct_status s = ct_idx_load(r->files, r->allocator, r->path, &p->array, e);
    if (!s) s = ct__pictures_pixels(&p->array, r->path, e);
    if (!s) s = take_transform(r, o->transform ? o->transform : "to_tensor", e);
    if (!s) p->n = p->array.dim[0];
    return s ? s : take_source(r, e);
}

ct_status ct__pictures_open(ct__records *r, const ct__records_options *o, ct_err *e) {
    ct_images_options set = {.picture = {.channels = o->channels},
                             .follow_links = o->follow_links,
                             .allow_broken = o->allow_broken,
                             .strict = o->strict,
                             .unlabelled = o->unlabelled,
                             .threads = o->threads,
                             .tell = o->tell,
                             .user = o->user};
    r->pictures = ct_arena_array(&r->arena, 1, sizeof *r->pictures);
    if (!r->pictures) return memory(r, e);
    r->pictures->threads = o->threads;
    ct_status s = open_set(r, &set, e);
    if (!s) s = list(r, o->unlabelled, e);
    if (!s) s = take_transform(r, o->transform, e);
    if (!s && !o->unlabelled) s = take_classes(r, e);
    return s ? s : take_source(r, e);
}

void ct__pictures_close(ct__records *r) {
    struct ct__picture_rows *p = r->pictures;
    if (!p) return;
    ct_loader_free(p->loader);
    ct_source_close(&p->source);
    ct_images_close(p->set);
    ct_array_free(&p->array);
    ct_transform_free(p->transform);
}

/* ---- reading ---- */

ct_status ct__pictures_rewind(ct__records *r, ct_err *e) {
    struct ct__picture_rows *p = r->pictures;
    ct_loader_options o = {.batch = BATCH, .threads = p->threads > 1 ? p->threads : 0, .evaluate = 1};
    ct_loader_free(p->loader);
    p->loader = NULL;
    p->batch = (ct_batch){0};
    p->used = 0;
    return ct_loader_new(r->allocator, &p->source, o, &p->loader, e);
}

ct_status ct__pictures_next(ct__records *r, ct_array *to, int64_t *rows, int32_t *label, double *value,
                            ct_err *e) {
    struct ct__picture_rows *p = r->pictures;
    size_t size = (size_t)r->features * sizeof(float);
    int64_t n = 0;
    while (n < to->dim[0] && r->row < r->count) {
        if (p->used == p->batch.rows) {
            ct_status s = ct_next(p->loader, &p->batch, e);
            if (s) return s;
            p->used = 0;
        }
        memcpy((char *)to->data + (size_t)n * size, (const char *)p->batch.field[0] + (size_t)p->used * size,
               size);
        if (label) label[n] = r->target >= 0 ? (int32_t)((const int64_t *)p->batch.field[1])[p->used] : -1;
        if (value) value[n] = NAN;
        p->used++, r->row++, n++;
    }
    *rows = n;
    return CT_OK;
}

const char *ct__pictures_path(const ct__records *r, int64_t record, char out[4200]) {
    ct_image image = {0};
    size_t length = strlen(r->path);
    if (r->pictures->set) (void)ct_images_at(r->pictures->set, r->pictures->index[record], &image);
    if (!image.path)
        snprintf(out, 4200, "%.4000s", r->path); /* of an array: its number tells it */
    else if (!image.path[0] || image.path[0] == '/' ||
             !ct__records_folder(r->path)) /* one file, or a list's words */
        snprintf(out, 4200, "%.4000s", image.path[0] ? image.path : r->path);
    else
        snprintf(out, 4200, "%.2000s%s%.2000s", r->path, length && r->path[length - 1] == '/' ? "" : "/",
                 image.path);
    return out;
}
