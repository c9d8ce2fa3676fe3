/* records.h: records of numbers, a batch at a time: from CSV, .npy or idx, told apart by content, or from a folder of
 * pictures. */
#ifndef CT_TASK_RECORDS_H
#define CT_TASK_RECORDS_H

#include "cotan/data.h"

typedef struct ct__records_options {
    const char *target;         /* CSV: no feature; NULL: none */
    const char *const *feature; /* CSV: the columns by name, in this order; NULL: all but the target */
    int64_t features;           /* of `feature` */
    int32_t stream;             /* 1: never the whole file in memory */
    int32_t pictures;           /* 1: a picture file too, not only a folder of them */
    ct_csv_options csv;
    /* of pictures: as ct_images_options; transform NULL: by their sizes */
    const char *transform;
    int32_t channels, follow_links, allow_broken, strict, unlabelled, threads;
    void (*tell)(void *user, const char *line);
    void *user;
} ct__records_options;

typedef struct ct__records {
    const ct_files *files;
    const ct_allocator *allocator;
    const char *path;
    ct_csv *csv;
    ct_npy *npy;
    struct ct__picture_rows *pictures;
    void *bytes; /* of a CSV that cannot be read twice */
    uint64_t size;
    ct_array whole;          /* an array in memory: rows of it are given out; data NULL: a stream */
    int64_t features, count; /* count -1: not known yet */
    int64_t row;             /* the next one */
    int32_t dtype;           /* of the batches */
    int32_t target;          /* column, -1: none */
    const char *target_name; /* NULL: none */
    const char **name;       /* [features], NULL: none */
    int32_t *column;         /* [features]: of the CSV */
    ct_arena arena;
    /* the target's values */
    int32_t *slot; /* hash table of codes + 1 */
    const char **label;
    int64_t labels, slots, room;
    int32_t numeric; /* all of them are numbers so far */
    /* missing fields: how many, and where the first is */
    int64_t missing, missing_line, missing_column;
    int32_t missing_feature;
    /* of pictures */
    int32_t channels;      /* of the files, as they are read */
    int64_t planes[3];     /* C, H, W after the transform */
    const char *transform; /* canonical */
} ct__records;

ct_status ct__records_open(ct__records *r, const ct_files *f, const ct_allocator *a, const char *path,
                           ct__records_options o, ct_err *e);
void ct__records_close(ct__records *r);
/* The next rows into `to` [rows,features] of r->dtype, contiguous; *rows is 0 at the end. label (may be NULL) gets the
 * code of each row's target, value its number (NaN when it is none). */
ct_status ct__records_next(ct__records *r, ct_array *to, int64_t *rows, int32_t *label, double *value,
                           ct_err *e);
ct_status ct__records_rewind(ct__records *r, ct_err *e);
/* The file of a record of pictures. */
const char *ct__pictures_path(const ct__records *r, int64_t record, char out[4200]);
/* Rows in all: counted by a pass over a CSV. CT_EDATA when there are none. */
ct_status ct__records_count(ct__records *r, ct_err *e);

/* records_pictures.c: what the functions above do where the records are pictures */
int ct__records_folder(const char *path);
ct_status ct__pictures_open(ct__records *r, const ct__records_options *o, ct_err *e);
ct_status ct__pictures_array(ct__records *r, const ct__records_options *o, ct_err *e); /* an idx file */
void ct__pictures_close(ct__records *r);
ct_status ct__pictures_rewind(ct__records *r, ct_err *e);
ct_status ct__pictures_next(ct__records *r, ct_array *to, int64_t *rows, int32_t *label, double *value,
                            ct_err *e);

#endif
