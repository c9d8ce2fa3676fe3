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
 * order (8 bytes each), a longer one computes it. Fewer threads are started where the system refuses. CT_EUSAGE for a
 * wrong option, CT_EDATA for a source without records, CT_ELIMIT. */
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
    double loss, loss_error;    /* mean cross-entropy: log_loss; the mean's standard error */
    double accuracy, low, high; /* with its 95 % interval (Wilson 1927) */
    double top5;                /* the label is among the five most probable */
    double macro_f1, macro_precision, macro_recall; /* means over classes, 0/0 counts as 0 (scikit-learn) */
    double ece;      /* expected calibration error, 15 bins (Guo et al. 2017) */
    double baseline; /* accuracy of always naming the most frequent class */
} ct_score;
/* CT_EUSAGE for less than one class, CT_ELIMIT. */
CT_API ct_status ct_scores_new(const ct_allocator *a, int64_t classes, ct_scores **out, ct_err *e);
CT_API void ct_scores_free(ct_scores *s); /* NULL is fine */
/* logits [rows, classes], label[r] in 0..classes-1 (else CT_EDATA, naming the sample). A logit that is NaN or +inf is
 * CT_ENONFINITE, naming sample and class, and so is a row of -inf alone: a metric of such a net would be no number, or
 * an accident. */
CT_API ct_status ct_scores_add(ct_scores *s, const float *logits, const int64_t *label, int64_t rows,
                               ct_err *e);
CT_API ct_score ct_scores_result(const ct_scores *s);
/* The share of samples whose label is among the k most probable classes (of equals the first). */
CT_API double ct_scores_top(const ct_scores *s, int64_t k);
/* The JSON object that `cotan evaluate --json` prints: samples, loss, loss_error, accuracy, accuracy_ci95 [low, high],
 * top5_accuracy, macro_f1, macro_precision, macro_recall, log_loss, ece, baseline_accuracy; null where undefined. */
CT_API void ct_score_json(const ct_score *s, ct_text *out);
/* How many samples of one class were taken for another; 0 for classes that do not exist. */
CT_API int64_t ct_scores_confusion(const ct_scores *s, int64_t truth, int64_t predicted);
/* Confusions by their number, the largest first, of equal ones the first: the cell of confusion [classes, classes] (truth times
 * classes plus prediction, off the diagonal) that follows the cell `before`; -1 begins, and is returned when none is left. */
CT_API int64_t ct_confused_next(const int64_t *confusion, int64_t classes, int64_t before);
/* One class against all others. A figure whose denominator is 0 is NaN here: undefined. */
typedef struct ct_class_score {
    int64_t samples, predicted, right; /* with that label; taken for it; both */
    double precision, recall, f1;
    int64_t reserved[2];
} ct_class_score;
CT_API ct_class_score ct_scores_class(const ct_scores *s,
                                      int64_t c); /* zeros and NaN where there is no such class */

/* ---- how far probabilities may be trusted ---- */

/* Temperature scaling (Guo et al. 2017): softmax of logits / T. T is the one that gives the least mean cross-entropy on
 * records that did not train, found by Newton steps on 1/T, in which it is convex. Targets are Platt's (1999): a label
 * counts (n + 1) / (n + 2), the rest is spread over the classes, so that few records, all of them right, do not
 * make a net certain. 1/T stays within 0.001 and 1,000. logits [rows, classes]; CT_EUSAGE for no rows, CT_EDATA for a
 * wrong label, CT_ENONFINITE for NaN, +inf or a row of -inf alone. */
CT_API ct_status ct_temperature_fit(const float *logits, const int64_t *label, int64_t rows, int64_t classes,
                                    double *temperature, ct_err *e);
/* ct_softmax_row of logits / temperature: another temperature never changes which class it returns. */
CT_API int64_t ct_softmax_at(const float *logits, int64_t classes, double temperature, double *probability);

/* Split conformal prediction (Vovk et al. 2005; this score: Sadinle, Lei and Wasserman 2019). The score of a record is 1 - the
 * probability of its label. score[0..scores-1] become those of `rows` records in ascending order, at the ranks
 * ceil(i rows / scores) for i from 1 (all of them where scores = rows), rounded up to 1e-7; scores <= rows. Errors as of ct_temperature_fit. */
CT_API ct_status ct_conformal_scores(const ct_allocator *a, const float *logits, const int64_t *label,
                                     int64_t rows, int64_t classes, double temperature, double *score,
                                     int64_t scores, ct_err *e);
/* The least probability of a class in the set, such that sets of new records of the same kind hold their label with at
 * least this probability: 1 - the score of rank ceil((rows + 1) coverage). 0, all classes, where the records are too few. */
CT_API double ct_conformal_threshold(const double *score, int64_t scores, int64_t rows, double coverage);

/* From the first sample on, also score softmax of logits / temperature; and, with a threshold >= 0, the sets of the classes
 * of at least that probability (the most probable one always). */
CT_API void ct_scores_calibrate(ct_scores *s, double temperature, double threshold);
typedef struct ct_calibrated { /* NaN where undefined */
    double temperature, loss, ece;
    double threshold;          /* < 0: no sets */
    double covered, low, high; /* share of sets that hold the label, with its 95 % interval (Wilson) */
    double mean_size;          /* classes in a set */
    int64_t reserved[8];
} ct_calibrated;
CT_API ct_calibrated ct_scores_calibrated(const ct_scores *s);
/* probability[c] = softmax of the logits; returns the index of the largest (the first of equals; NaN, the first of
 * several, is above all numbers, as for ct_argmax). */
CT_API int64_t ct_softmax_row(const float *logits, int64_t classes, double *probability);

/* ---- readers (libcotan-data) ---- */

/* An idx file (MNIST's format), plain or gzip. Big-endian types become host types: u8, i8, i32, f32, f64;
 * i16 becomes i32. *out is a new array, freed by ct_array_free. CT_EIO, CT_EDATA for another format or length,
 * CT_ELIMIT. */
CT_API ct_status ct_idx_load(const ct_files *f, const ct_allocator *a, const char *path, ct_array *out,
                             ct_err *e);
CT_API ct_status ct_idx_parse(const ct_allocator *a, const void *data, uint64_t bytes, const char *name,
                              ct_array *out, ct_err *e);
/* A whole file, inflated when its first bytes are gzip's; `limit` bounds the inflated size. *data is freed with
 * ct_delete(a, *data, *bytes). CT_EIO, CT_EDATA for broken gzip, CT_ELIMIT beyond the limit or out of memory. */
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

typedef struct ct_picture_info {   /* of the file, whatever is asked of it */
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
    int64_t more[5];
} ct_picture_options;

/* Pictures in an array, u8 [N,H,W] or [N,C,H,W], as `channels` 1 or 3 of ct_picture_options makes them: grey stands in
 * all three, colour becomes grey. *x is freed and replaced by [N,channels,H,W], or stays where it has so many.
 * CT_EUSAGE, CT_EDATA for another number of channels, CT_ELIMIT. */
CT_API ct_status ct_pictures_channels(const ct_allocator *a, ct_array *x, int32_t channels, ct_err *e);
/* "white", "grey", "black" or "#rrggbb" as CT_RGB. CT_EUSAGE. */
CT_API ct_status ct_picture_background(const char *text, int32_t *out, ct_err *e);
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
/* 1: meant as a picture: its first bytes (16 are enough) begin a format that is read or refused by name, or its name
 * ends as pictures' names do. */
CT_API int ct_picture_likely(const char *path, const void *head, uint64_t bytes);

/* ---- CSV (libcotan-data) ----
 *
 * RFC 4180, strictly: fields between delimiters, in quotes ("" inside is one quote) or bare; records end by LF, CRLF
 * or a lone CR; a UTF-8 mark at the beginning and empty lines at the end are skipped. The first record has the
 * names. One record at a time is in memory. Limits: a record of 64 MiB, 65,536 columns. Errors (CT_EDATA) begin
 * with FILE:LINE:COL. One thread at a time. */
typedef struct ct_csv ct_csv;
typedef struct ct_csv_options {
    int32_t delimiter; /* 0: that of ',', ';' and TAB which the first line has most of (',' if none) */
    int32_t no_header; /* 1: the first record is data; names are "1", "2", ... */
    int64_t reserved[7];
} ct_csv_options;
/* A regular file. Its size, time and inode must stay the same until ct_csv_close, else CT_EIO. */
CT_API ct_status ct_csv_open(const ct_files *f, const ct_allocator *a, const char *path, ct_csv_options o,
                             ct_csv **out, ct_err *e);
/* The same for bytes in memory, which must outlive it; `name` stands for the path. */
CT_API ct_status ct_csv_parse(const ct_allocator *a, const void *data, uint64_t bytes, const char *name,
                              ct_csv_options o, ct_csv **out, ct_err *e);
CT_API void ct_csv_close(ct_csv *c);
CT_API int32_t ct_csv_columns(const ct_csv *c);
CT_API const char *ct_csv_name(const ct_csv *c, int32_t column);
/* The column of that name; when there is none, CT_EDATA that lists the names and tells the nearest. */
CT_API ct_status ct_csv_column(const ct_csv *c, const char *name, int32_t *column, ct_err *e);
/* The next record; *more is 0 at the end of the file. */
CT_API ct_status ct_csv_next(ct_csv *c, int32_t *more, ct_err *e);
/* Of the current record, until the next call. */
CT_API const char *ct_csv_text(const ct_csv *c, int32_t column);
CT_API int64_t ct_csv_line(const ct_csv *c);          /* where it begins, from 1 */
CT_API ct_status ct_csv_rewind(ct_csv *c, ct_err *e); /* to the first data record */
/* The field as a number: a decimal with '.', spaces around allowed, finite. *missing is set to 1 and *out to NaN for an
 * empty field, NA, N/A, null, None, nan and inf in any letters; anything else is CT_EDATA at the field. */
CT_API ct_status ct_csv_number(const ct_csv *c, int32_t column, double *out, int32_t *missing, ct_err *e);
/* CT_EDATA (or another status) with the place of that field of the current row before the text. */
CT_API ct_status ct_csv_refuse(const ct_csv *c, int32_t column, ct_status status, ct_err *e,
                               const char *format, ...) CT_PRINTF(5, 6);

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
/* A buffer of interleaved pixels [H,W,3], as cameras and screens have them, as planes [3,H,W]. */
CT_API void ct_rgb_planes(const uint8_t *rgb, int64_t h, int64_t w, uint8_t *planes);
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
 * target [rows, classes]: the shares of the labels. Without such a step only the targets are written. CT_EDATA for another
 * label, naming the row. From any thread. */
CT_API ct_status ct_mix(const ct_transform *t, float *x, const int64_t shape[3], const int64_t *label,
                        int64_t rows, int64_t classes, ct_draw draw, float *target, ct_err *e);
/* Pictures [N,H,W] or [N,C,H,W] u8 and labels (any integer type, or NULL) as a source with the fields
 * "image" f32 and "label" i64. The arrays and the transform must outlive it. CT_EDATA for other types, axes or counts,
 * CT_EUSAGE where a step cannot take the pictures, CT_ELIMIT. */
CT_API ct_status ct_source_images(const ct_allocator *a, const ct_array *images, const ct_array *labels,
                                  const ct_transform *t, ct_source *out, ct_err *e);

/* ---- sets of pictures (libcotan-data) ---- */

/* Pictures with labels, from
 *     a folder of folders, one a class: DIR/CLASS/..., or DIR/train/CLASS/..., DIR/test/CLASS/... (also validation,
 *         valid or val); sub-folders of a class belong to it
 *     a list: FILE.csv (or .tsv) with a header naming path and label (and part), or FILE.jsonl with these keys;
 *         paths are relative to the list's folder
 *     a folder of idx files (MNIST's names), of CIFAR-10 or CIFAR-100 binary files, or of .npy arrays
 *         (train_images.npy, train_labels.npy, test_..., or x_train.npy, y_train.npy, ...; images.npy, labels.npy)
 * Records are in the order of their paths' bytes, classes in the order of their names' bytes (numbers in arrays).
 * Hidden files, Thumbs.db, desktop.ini and __MACOSX are passed over; symbolic links are counted and passed over
 * unless asked for; what is no picture and has no picture's name is counted as `other`. */
typedef struct ct_images ct_images;
enum {
    CT_PART_NONE = 0,
    CT_PART_TRAIN = 1,
    CT_PART_TEST = 2,
    CT_PART_VALIDATION = 3
}; /* NONE: not divided */

typedef struct ct_images_options {
    ct_picture_options
        picture;          /* channels 0: 3 where one picture has colour, else 1; of arrays as they have it */
    int32_t follow_links; /* 1: symbolic links are read; loops are found by device and inode */
    int32_t strict;       /* 1: the first broken picture is an error */
    int32_t allow_broken; /* 1: any share may be broken; else more than 1 % is CT_EDATA */
    int32_t threads;      /* that scan; 0: one */
    int32_t parts;        /* 1 << CT_PART_TRAIN | ...: what is listed; 0: all */
    int32_t unlabelled;   /* 1: any folder or file, one class ""; for prediction */
    int64_t limit;        /* so many of each part: of arrays the first, else by a hash of paths; 0: all */
    uint64_t cache;       /* bytes of decoded pictures that a source may keep; 0: none */
    void (*tell)(void *user, const char *line); /* pictures that are passed over, by name; may be NULL */
    void *user;
    volatile int32_t *stop; /* set: the scan ends with CT_ECANCEL; may be NULL */
    int64_t cache_parts;    /* 1 << CT_PART_TRAIN | ...: of a divided set, the parts that are kept; 0: all */
    /* How far a scan has come, after each picture that the calling thread has read; may be NULL */
    void (*progress)(void *user, int64_t done, int64_t of);
    int64_t reserved[6];
} ct_images_options;

typedef struct ct_image {
    const char *path;             /* below the folder or as listed, the key of the split; NULL: of an array */
    int64_t number;               /* in its array, or in the order of paths */
    int64_t label, width, height; /* sizes: after a scan, else 0 */
    int32_t part, format, channels, depth, alpha, palette, turn, reserved;
    ct_hash128 hash; /* of the pixels, after ct_images_scan */
} ct_image;

/* Lists; reads no picture. Errors: CT_EIO (a folder that cannot be read), CT_EDATA (no class folders, no pictures,
 * a bad list). The allocator and files must outlive the set. */
CT_API ct_status ct_images_open(const ct_files *f, const ct_allocator *a, const char *path,
                                const ct_images_options *o, ct_images **out, ct_err *e);
CT_API void ct_images_close(ct_images *s); /* NULL is fine */
CT_API int64_t ct_images_count(const ct_images *s);
CT_API int64_t ct_images_classes(const ct_images *s);
CT_API const char *ct_images_class(const ct_images *s, int64_t label);
CT_API ct_status ct_images_at(const ct_images *s, int64_t i, ct_image *out);
CT_API int ct_images_has(const ct_images *s, int32_t part); /* 1: the data has this part, listed or not */
CT_API int64_t ct_images_channels(const ct_images *s);      /* of the pictures that it gives; after a scan */

/* Reads every picture once. Broken ones are named and taken out, and classes without a picture are CT_EDATA; sizes,
 * kinds and, unless `sizes_only`, hashes and what the audit needs are kept. With a cache, pictures are kept as
 * the steps that begin `t` (or NULL), draw nothing and make no floats, leave them. A file that is gone: CT_EIO. Indices
 * of records are valid only from here on: below, one that names no record is CT_EUSAGE. */
CT_API ct_status ct_images_scan(ct_images *s, const ct_transform *t, int sizes_only, ct_err *e);
/* The records of "train", "validation", "test" or "all", by their part or, where the set is not divided, by the hash
 * of (seed, path or number): a tenth validates, and a tenth tests where there is no test part. *index is freed
 * with ct_delete(a, *index, (*n + 1) * sizeof **index). */
CT_API ct_status ct_images_part(const ct_images *s, uint64_t seed, const char *part, int64_t **index,
                                int64_t *n, ct_err *e);
/* The part of record i by that rule: CT_PART_TRAIN, ...; CT_PART_NONE where there is no record i. */
CT_API int32_t ct_images_part_of(const ct_images *s, uint64_t seed, int64_t i);
/* Labels by another list of classes, such as a model's: name[0..n-1] become the set's classes; of a class whose name is
 * not UTF-8 what ct_escape makes of it will do. CT_EDATA with both lists where the set has a class that is not among
 * them; `of` says whose they are. */
CT_API ct_status ct_images_match(ct_images *s, const char *const *name, int64_t n, const char *of, ct_err *e);
/* One picture, [C,H,W] u8, a new array. From any thread. */
CT_API ct_status ct_images_read(const ct_images *s, int64_t i, const ct_allocator *a, ct_array *out,
                                ct_err *e);
/* Records index[0..n-1] as a source with the fields "image" f32 and, unless unlabelled, "label" i64. The set and the
 * transform must outlive it. CT_EDATA where the transform does not make one size (the first two are named). Random
 * steps draw by the record's number in the set. Needs a scan (else CT_EUSAGE). One caller at a time; what is made is
 * read from any threads. */
CT_API ct_status ct_images_source(ct_images *s, const int64_t *index, int64_t n, const ct_transform *t,
                                  ct_source *out, ct_err *e);
/* xxh3-128 over pixels, shapes and, with `labels`, labels of the records, in order. Needs a scan of pixels. */
CT_API ct_status ct_images_hash(const ct_images *s, const int64_t *index, int64_t n, int labels,
                                ct_hash128 *out, ct_err *e);
/* Mean and standard deviation of x / 255, each channel, over the records' pixels as the scan's `t` leaves them where
 * it begins to draw or makes floats. Needs a scan of pixels. */
CT_API ct_status ct_images_moments(const ct_images *s, const int64_t *index, int64_t n, double mean[3],
                                   double std[3], ct_err *e);

/* ---- audit ---- */

/* Pictures with the same pixels, or nearly: perceptual hashes (a bit for each of 64 slopes of brightness) that differ
 * in at most 3 places, and 16x16 grey thumbnails that differ by at most 4 of 255 in the root of the mean square. */
typedef struct ct_audit_pair {
    int64_t first, second;
    int32_t exact, leak, conflict; /* leak: one in the test part, one not; conflict: other labels */
    int32_t reserved;
} ct_audit_pair;
typedef struct ct_audit_class {
    int64_t train, validation, test;
} ct_audit_class;
typedef struct ct_audit {
    int64_t listed, pictures, broken, links, other;     /* pictures: readable; links: passed over */
    int64_t grey, colour, alpha, palette, deep, turned; /* deep: 16 bits a sample; turned: by EXIF */
    int64_t formats[5];                                 /* by ct_picture_format; 0: arrays */
    int64_t width_min, width_median, width_max, height_min, height_median, height_max;
    int64_t sizes, size_width, size_height, size_count; /* different sizes; the most frequent one */
    int64_t tiny;                                       /* pictures with a side under 16 */
    int64_t classes, class_min, class_max; /* pictures in the training part: the least, the most */
    int64_t tiny_classes;                  /* classes with under 10 training pictures */
    int64_t exact, near, leaks, conflicts; /* pairs, at most one or two a picture */
    int64_t incomplete;                    /* 1: too many are alike to compare all for nearness */
    ct_audit_class *each;                  /* [classes] */
    ct_audit_pair *pair;                   /* [exact + near] */
    uint64_t room;                         /* of `pair` */
    const ct_allocator *allocator;
} ct_audit;
/* After ct_images_scan with pixels (else CT_EUSAGE); CT_ELIMIT. `seed` divides a set that is not divided. *out is freed
 * by ct_audit_free. */
CT_API ct_status ct_audit_images(const ct_images *s, uint64_t seed, ct_audit *out, ct_err *e);
CT_API void ct_audit_free(ct_audit *a);
/* What to know before training, a sentence a call. */
CT_API void ct_audit_findings(const ct_audit *a, const ct_images *s,
                              void (*each)(void *user, const char *sentence), void *user);

#ifdef __cplusplus
}
#endif
#endif
