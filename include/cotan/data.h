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
    int32_t dtype;    /* a ct_dtype */
    int32_t reserved;
    ct_shape shape; /* of one record; rank 0: a number */
} ct_field;
typedef struct ct_source {
    void *user;     /* given to the functions below */
    int64_t count;  /* records */
    int32_t fields; /* of a record */
    int32_t reserved;
    ct_field field[CT_MAX_FIELDS];
    /* Writes record 0..count-1 to out[field], contiguous. Called from several threads at once. `epoch` and
     * `seed` are what random transforms draw from; epoch is -1 where data is only evaluated. */
    ct_status (*read)(void *user, int64_t record, int64_t epoch, uint64_t seed, void *const *out, ct_err *e);
    void (*close)(void *user); /* may be NULL */
} ct_source;
CT_API void ct_source_close(ct_source *s); /* calls `close`; then zeroed */
/* Records along the first axis of each array (equal lengths). Rows must be contiguous, not the arrays: all windows of
 * a series are a view whose first stride is 1. The arrays' memory must outlive the source. CT_EUSAGE, CT_EDATA. */
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
/* Zero means the default. */
typedef struct ct_loader_options {
    int64_t batch;           /* records; 0: 64 */
    uint64_t seed;           /* of the shuffle */
    int32_t shuffle;         /* 1: a new order each epoch */
    int32_t threads;         /* that read ahead; 0: none, records are read by ct_next */
    int32_t drop_last;       /* 1: no short batch at the end of an epoch */
    int32_t evaluate;        /* 1: sources get epoch -1 (no random transforms) */
    int64_t epoch, position; /* where to begin: batches of that epoch already done */
    int64_t reserved[2];
} ct_loader_options;
typedef struct ct_batch {
    int64_t rows;                     /* 0: the epoch is over; the next call begins the next */
    int64_t epoch, position;          /* of this batch */
    const void *field[CT_MAX_FIELDS]; /* [rows, ...] in the source's order; valid until the next call */
    const int64_t *record;            /* [rows] */
} ct_batch;
/* The source must outlive the loader; ct_loader_free ends its threads. A shuffled epoch of up to 2^26 records keeps its
 * order (8 bytes each), a longer one computes it. Fewer threads are started where the system refuses. CT_EUSAGE for an
 * empty source or a wrong option. */
CT_API ct_status ct_loader_new(const ct_allocator *a, const ct_source *s, ct_loader_options o,
                               ct_loader **out, ct_err *e);
CT_API void ct_loader_free(ct_loader *l);
CT_API int64_t ct_loader_batches(const ct_loader *l); /* of an epoch */
/* The next batch; rows 0 between two epochs. One caller at a time. After an error, which is the source's own, the
 * loader ends. */
CT_API ct_status ct_next(ct_loader *l, ct_batch *out, ct_err *e);

/* ---- metrics of classification ---- */

/* Collects samples and scores them; one caller at a time. */
typedef struct ct_scores ct_scores;
typedef struct ct_score { /* shares of 1; NaN where undefined */
    int64_t samples;
    double loss;                                    /* mean cross-entropy: log_loss */
    double accuracy, low, high;                     /* with its 95 % interval (Wilson 1927) */
    double top5;                                    /* the label is among the five most probable */
    double macro_f1, macro_precision, macro_recall; /* means over classes, 0/0 counts as 0 (scikit-learn) */
    double ece;      /* expected calibration error, 15 bins (Guo et al. 2017) */
    double baseline; /* accuracy of always naming the most frequent class */
} ct_score;
CT_API ct_status ct_scores_new(const ct_allocator *a, int64_t classes, ct_scores **out, ct_err *e);
CT_API void ct_scores_free(ct_scores *s); /* NULL is fine */
/* logits [rows, classes], label[r] in 0..classes-1 (else CT_EDATA, naming the sample). */
CT_API ct_status ct_scores_add(ct_scores *s, const float *logits, const int64_t *label, int64_t rows,
                               ct_err *e);
CT_API ct_score ct_scores_result(const ct_scores *s);
/* The share of samples whose label is among the k most probable classes (of equals the first). */
CT_API double ct_scores_top(const ct_scores *s, int64_t k);
/* The JSON object that `cotan evaluate --json` prints: samples, loss, accuracy, accuracy_ci95 [low, high],
 * top5_accuracy, macro_f1, macro_precision, macro_recall, log_loss, ece, baseline_accuracy; null where undefined. */
CT_API void ct_score_json(const ct_score *s, ct_text *out);
/* How many samples of one class were taken for another; 0 for classes that do not exist. */
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

/* ---- transforms of pictures (libcotan-data) ---- */

/* A list as text: "normalize mean=0.2860 std=0.3530, random_crop 28 pad=2, flip 0.5". Steps:
 *     normalize mean=M[:M...] std=S[:S...]   (x / 255 - M) / S for u8 pictures; one number, or one a channel
 *     random_crop SIZE pad=P                 zeros around, then a window; evaluation leaves the picture
 *     flip P                                 left-right with probability P; evaluation: none
 * Without normalize a picture is x / 255. Random steps draw from Philox by (seed, epoch, record). */
typedef struct ct_transform ct_transform;
CT_API ct_status ct_transform_parse(const ct_allocator *a, const char *text, ct_transform **out, ct_err *e);
CT_API void ct_transform_free(ct_transform *t);
CT_API ct_status ct_transform_text(const ct_transform *t, ct_text *out); /* canonical */
/* The shape it makes of [C,H,W]. */
CT_API ct_status ct_transform_shape(const ct_transform *t, const int64_t in[3], int64_t out[3], ct_err *e);
/* picture [C,H,W] u8 -> out f32. */
CT_API void ct_transform_run(const ct_transform *t, const uint8_t *picture, const int64_t shape[3],
                             int64_t record, int64_t epoch, uint64_t seed, float *out);
/* Pictures [N,H,W] or [N,C,H,W] u8 and labels (any integer type, or NULL) as a source with the fields
 * "image" f32 and "label" i64. The arrays and the transform must outlive it. */
CT_API ct_status ct_source_images(const ct_allocator *a, const ct_array *images, const ct_array *labels,
                                  const ct_transform *t, ct_source *out, ct_err *e);

#ifdef __cplusplus
}
#endif
#endif
