/* cotan/data.h: data sets as sources of records, batches in a fixed order, metrics.
 *
 * A source is a count, the fields of a record (name, type, shape) and a function that writes record i. It
 * may be arrays in memory, files, or a callback of the user's. A loader shuffles, batches and prefetches;
 * what it returns depends on (seed, epoch, position) alone, never on threads. */
#ifndef COTAN_DATA_H
#define COTAN_DATA_H

#include "cotan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sources ---- */
#define CT_MAX_FIELDS 8
typedef struct ct_field {
    const char *name; /* the name of the net's input it feeds */
    int32_t dtype;
    int32_t reserved;
    ct_shape shape; /* of one record */
} ct_field;
typedef struct ct_source {
    void *user;
    int64_t count;
    int32_t fields;
    int32_t reserved;
    ct_field field[CT_MAX_FIELDS];
    /* Writes record 0..count-1 to out[field], contiguous. Called from several threads at once. `epoch` and
     * `seed` are what random transforms draw from; epoch is -1 where data is only evaluated. */
    ct_status (*read)(void *user, int64_t record, int64_t epoch, uint64_t seed, void *const *out, ct_err *e);
    void (*close)(void *user); /* may be NULL */
} ct_source;
CT_API void ct_source_close(ct_source *s); /* then zeroed */
/* Records along the first axis of each array (equal lengths). The arrays' memory must outlive the source. */
CT_API ct_status ct_source_arrays(const ct_allocator *a, const ct_array *arrays, const char *const *names,
                                  int32_t count, ct_source *out, ct_err *e);
/* The records index[0..count-1] of another source, which must outlive it; indices are copied. */
CT_API ct_status ct_source_subset(const ct_allocator *a, const ct_source *from, const int64_t *index,
                                  int64_t count, ct_source *out, ct_err *e);
/* xxh3-128 of all fields of all records in order, shapes included; `skip` names a field left out, or NULL. */
CT_API ct_status ct_source_hash(const ct_allocator *a, const ct_source *s, const char *skip, ct_hash128 *out,
                                ct_err *e);
/* The part a record belongs to: a hash of (seed, key) in 0..9999; a tenth is `< 1000`. */
CT_API int32_t ct_split_of(uint64_t seed, const void *key, size_t bytes);

/* ---- loader ---- */
typedef struct ct_loader ct_loader;
typedef struct ct_loader_options {
    int64_t batch;           /* records; 0: 64 */
    uint64_t seed;           /* of the shuffle */
    int32_t shuffle;         /* 1: a new order each epoch */
    int32_t threads;         /* that read ahead; 0: none, records are read by ct_next */
    int32_t drop_last;       /* 1: no short batch at the end of an epoch */
    int32_t evaluate;        /* 1: sources get epoch -1 (no random transforms) */
    int64_t epoch, position; /* where to begin: batches of that epoch already done */
} ct_loader_options;
typedef struct ct_batch {
    int64_t rows;                     /* 0: the epoch is over; the next call begins the next */
    int64_t epoch, position;          /* of this batch */
    const void *field[CT_MAX_FIELDS]; /* [rows, ...] in the source's order; valid until the next call */
    const int64_t *record;            /* [rows] */
} ct_batch;
/* The source must outlive the loader. */
CT_API ct_status ct_loader_new(const ct_allocator *a, const ct_source *s, ct_loader_options o,
                               ct_loader **out, ct_err *e);
CT_API void ct_loader_free(ct_loader *l);
CT_API int64_t ct_loader_batches(const ct_loader *l); /* of an epoch */
/* One caller at a time. After an error the loader ends. */
CT_API ct_status ct_next(ct_loader *l, ct_batch *out, ct_err *e);

/* ---- metrics of classification ---- */
typedef struct ct_scores ct_scores;
typedef struct ct_score { /* NaN where undefined */
    int64_t samples;
    double loss;                /* mean cross-entropy: log_loss */
    double accuracy, low, high; /* with its 95 % interval (Wilson 1927) */
    double top5;
    double macro_f1, macro_precision, macro_recall;
    double ece;      /* expected calibration error, 15 bins (Guo et al. 2017) */
    double baseline; /* accuracy of always naming the most frequent class */
} ct_score;
CT_API ct_status ct_scores_new(const ct_allocator *a, int64_t classes, ct_scores **out, ct_err *e);
CT_API void ct_scores_free(ct_scores *s);
/* logits [rows, classes], label[r] in 0..classes-1 (else CT_EDATA). */
CT_API ct_status ct_scores_add(ct_scores *s, const float *logits, const int64_t *label, int64_t rows,
                               ct_err *e);
CT_API ct_score ct_scores_result(const ct_scores *s);
CT_API int64_t ct_scores_confusion(const ct_scores *s, int64_t truth, int64_t predicted);
/* probability[c] = softmax of the logits; returns the index of the largest (the first of equals). */
CT_API int64_t ct_softmax_row(const float *logits, int64_t classes, double *probability);

/* ---- readers (libcotan-data) ---- */

/* An idx file (MNIST's format), plain or gzip. Big-endian types become host types: u8, i8, i32, f32, f64;
 * i16 becomes i32. */
CT_API ct_status ct_idx_load(const ct_files *f, const ct_allocator *a, const char *path, ct_array *out,
                             ct_err *e);
CT_API ct_status ct_idx_parse(const ct_allocator *a, const void *data, uint64_t bytes, const char *name,
                              ct_array *out, ct_err *e);
/* A whole file, inflated when its first bytes are gzip's; `limit` bounds the inflated size. */
CT_API ct_status ct_file_inflate(const ct_files *f, const ct_allocator *a, const char *path, uint64_t limit,
                                 void **data, uint64_t *bytes, ct_err *e);

/* ---- pictures in files (libcotan-data) ---- */

/* PNG, JPEG, WebP and .npy (u8 [H,W], [H,W,C] or [C,H,W], C 1 or 3), known by their content, never by a name.
 * Animations, CMYK, arithmetic and 12-bit JPEG, and every other format are refused (CT_EDATA) by name. */
typedef enum ct_picture_format {
    CT_PICTURE_PNG = 1,
    CT_PICTURE_JPEG = 2,
    CT_PICTURE_WEBP = 3,
    CT_PICTURE_NPY = 4
} ct_picture_format;
/* Limits, checked before memory is taken; beyond them CT_ELIMIT. */
#define CT_PICTURE_PIXELS (1 << 26) /* 64 Mi pixels */
#define CT_PICTURE_CHUNK (8 << 20)  /* bytes of a PNG chunk that is not picture data */
#define CT_PICTURE_SCANS 256        /* of a progressive JPEG */
#define CT_PICTURE_FILE (1 << 30)   /* bytes of a file */

typedef struct ct_picture_info {
    int64_t width, height;         /* as shown: after the turn */
    int32_t format, channels;      /* channels: 1 grey, 3 colour; alpha is laid on the background */
    int32_t depth, alpha, palette; /* bits of a sample in the file; 1: has them */
    int32_t interlaced, turn; /* interlaced or progressive; the EXIF orientation, 1 to 8, that was undone */
    int32_t warnings;         /* oddities that do not touch pixels; the first is in `warning` */
    char warning[120];
} ct_picture_info;

#define CT_RGB(r, g, b) (0x1000000 | (r) << 16 | (g) << 8 | (b))
typedef struct ct_picture_options {
    int32_t channels;   /* 0: as the file has them; 1: grey (0.299 R + 0.587 G + 0.114 B); 3: colour */
    int32_t background; /* behind alpha, CT_RGB(...); 0: white */
    int32_t accept_cut; /* 1: a picture whose end is missing is read as far as it goes, the rest grey */
    int32_t reserved;
    int64_t max_pixels; /* 0: CT_PICTURE_PIXELS */
} ct_picture_options;

/* The structure of a file in memory, not its pixels: size, kind, limits. `name` is for errors. */
CT_API ct_status ct_picture_probe(const void *data, uint64_t bytes, const char *name,
                                  const ct_picture_options *o, ct_picture_info *out, ct_err *e);
/* The pixels: a new array u8 [C,H,W], C 1 or 3. 16-bit samples are rounded to 8. `o`, `info` may be NULL.
 * Errors: CT_EDATA (broken, cut, another format), CT_ELIMIT. */
CT_API ct_status ct_picture_decode(const ct_allocator *a, const void *data, uint64_t bytes, const char *name,
                                   const ct_picture_options *o, ct_array *out, ct_picture_info *info,
                                   ct_err *e);
CT_API ct_status ct_picture_load(const ct_files *f, const ct_allocator *a, const char *path,
                                 const ct_picture_options *o, ct_array *out, ct_picture_info *info,
                                 ct_err *e);
CT_API const char *ct_picture_format_name(int32_t format); /* "PNG", ... */

/* ---- transforms of pictures (libcotan-data) ---- */

/* A list of steps as data: "resize 256, center_crop 224, to_tensor, normalize mean=0.5 std=0.25". It is stored
 * in the model and applied alike in training, evaluation, prediction and export. The steps, their parameters
 * and their meaning: ct_transform_help, docs/transforms.md.
 *
 * Steps end with a comma or a line; # begins a comment. A step is a name, the value of its first parameter if
 * it has one, and KEY=VALUE words. Pictures begin as bytes [C,H,W]; to_tensor (x / 255) or normalize makes them
 * floats; without either the result is x / 255. Random steps draw from Philox by (seed, epoch, record), so the
 * same pictures come from any number of threads; where data is only evaluated (epoch -1) they do nothing, but
 * random_crop and random_resized_crop, which must make a size, take the middle. */
typedef struct ct_transform ct_transform;
/* Errors are CT_EUSAGE "transform:LINE:COLUMN: ..."; `pos` is the byte. */
CT_API ct_status ct_transform_parse(const ct_allocator *a, const char *text, ct_transform **out, ct_err *e);
CT_API void ct_transform_free(ct_transform *t);
CT_API ct_status ct_transform_text(const ct_transform *t, ct_text *out); /* canonical; parses to the same */
/* The shape it makes of [C,H,W]; CT_EUSAGE where a step cannot. */
CT_API ct_status ct_transform_shape(const ct_transform *t, const int64_t in[3], int64_t out[3], ct_err *e);
CT_API int32_t ct_transform_steps(const ct_transform *t);
CT_API int ct_transform_mixes(const ct_transform *t); /* 1: has mixup or cutmix, see ct_mix */

/* What random steps draw from. */
typedef struct ct_draw {
    int64_t record, epoch; /* epoch -1: evaluation */
    uint64_t seed;
} ct_draw;
/* Memory that one thread at a time works in. It is kept from picture to picture: after the largest one nothing
 * is allocated. */
typedef struct ct_scratch ct_scratch;
CT_API ct_scratch *ct_scratch_new(const ct_allocator *a); /* NULL: out of memory */
CT_API void ct_scratch_free(ct_scratch *s);               /* NULL is fine */
/* picture [C,H,W] u8 -> out f32 of ct_transform_shape's shape. `t` NULL: x / 255. `s` NULL: memory of its own. */
CT_API ct_status ct_transform_run(const ct_transform *t, ct_scratch *s, const uint8_t *picture,
                                  const int64_t shape[3], ct_draw draw, float *out, ct_err *e);
/* The same up to the step that makes floats: *out is a new u8 array [C,H,W], to look at or to keep. */
CT_API ct_status ct_transform_bytes(const ct_transform *t, ct_scratch *s, const uint8_t *picture,
                                    const int64_t shape[3], ct_draw draw, const ct_allocator *a,
                                    ct_array *out, ct_err *e);

/* Step `index` of the table: its name, how it is written ("resize SIZE [filter=bilinear]") and what it and its
 * parameters do (lines), appended. 0 past the last one. */
CT_API int ct_transform_help(int32_t index, const char **name, ct_text *usage, ct_text *help);

/* mixup (Zhang et al. 2018) and cutmix (Yun et al. 2019), the steps that need a batch: row r is mixed with row
 * n-1-r. Draws by (seed, epoch, position of the batch: draw.record). x [rows,C,H,W], in place; label[r] in 0..classes-1;
 * target [rows, classes]: the shares of the labels. Without such a step only the targets are written. */
CT_API ct_status ct_mix(const ct_transform *t, float *x, const int64_t shape[3], const int64_t *label,
                        int64_t rows, int64_t classes, ct_draw draw, float *target, ct_err *e);
/* Pictures [N,H,W] or [N,C,H,W] u8 and labels (any integer type, or NULL) as a source with the fields
 * "image" f32 and "label" i64. The arrays and the transform must outlive it. */
CT_API ct_status ct_source_images(const ct_allocator *a, const ct_array *images, const ct_array *labels,
                                  const ct_transform *t, ct_source *out, ct_err *e);

#ifdef __cplusplus
}
#endif
#endif
