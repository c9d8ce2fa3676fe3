/* images.h: a set of pictures inside: the records, where their pixels are, and what a scan learnt of them. */
#ifndef CT_DATA_IMAGES_H
#define CT_DATA_IMAGES_H

#include "data/read/file.h"
#include "data/read/picture.h"
#include "data/transform/transform.h"

#define CT__THUMB 16

enum { CT__LISTED, CT__GOOD, CT__BROKEN, CT__OTHER };

typedef struct ct__record {
    const char *path; /* NULL: of an array */
    int64_t number;
    int32_t label, width, height;
    uint8_t part, state, format, channels, depth, alpha, palette, turn;
    ct_hash128 hash;
    uint64_t slopes;   /* of brightness, see duplicates.c */
    uint8_t *thumb;    /* [CT__THUMB, CT__THUMB] grey, in the set's arena; NULL: none */
    const char *error; /* of a broken one */
    ct__stamp stamp;
    uint8_t *kept; /* pixels after the steps that draw nothing; NULL: not kept */
    uint64_t kept_bytes;
    uint64_t sum[3], square[3], pixels; /* of them, by channel */
} ct__record;

struct ct_images {
    const ct_files *files;
    const ct_allocator *allocator;
    ct_images_options o;
    ct_arena arena;
    pthread_mutex_t lock; /* of the arena while threads scan */
    const char *root;     /* what paths are relative to; "" for none */
    const char *name;     /* as opened, for errors */
    ct__record *record;
    int64_t count, capacity, listed, broken, links, other;
    const char **classes;
    int64_t n_classes;
    int32_t matched;              /* 1: to the classes of another set, of which it may lack some */
    ct_array array[4], labels[4]; /* of array sets, by part */
    int32_t own[4];               /* 1: the data has this part, listed or not */
    int32_t in_arrays, scanned;   /* scanned: 1 sizes, 2 pixels */
    int64_t channels;
    char *prefix; /* text of the scan's steps that draw nothing, whose results are kept; NULL: none */
    ct__scratches scratches;
};

/* images.c: building a set */
ct__record *ct__images_add(ct_images *s, const char *path, int64_t number, int32_t part, ct_err *e);
/* Gives labels by the names of classes: label_name[i] of record i; sorts names and, after that, records. */
ct_status ct__images_label(ct_images *s, const char *const *label_name, ct_err *e);
void ct__images_tell(const ct_images *s, const char *format, ...) CT_PRINTF(2, 3);
/* root/path; path where that is absolute or there is no root, the root where it is ""; CT_EIO when it is too long. */
#define CT__PATH 4200
ct_status ct__images_file(const ct_images *s, const char *path, char out[CT__PATH], ct_err *e);

/* What errors share: names, the k-th of a list, of which twelve are written, and the list's end; a class of no use. */
void ct__names_add(ct_text *t, int64_t k, const char *name);
void ct__names_end(ct_text *t, int64_t n);
ct_status ct__class_empty(const char *path, const char *name, ct_err *e);

/* folder.c, list.c, arrays.c: CT_OK with records listed */
ct_status ct__images_walk(ct_images *s, const char *path, ct_err *e);
int ct__is_list(const char *path);
ct_status ct__images_list(ct_images *s, const char *path, ct_err *e);
int ct__has_arrays(const char *path);
ct_status ct__images_arrays(ct_images *s, const char *path, ct_err *e);

/* slurp.c: a whole file in the scratch, its stamp->bytes bytes. *over: CT_ELIMIT, for it is no regular file, or longer
 * than CT_PICTURE_FILE; of such a one the first bytes, CT__HEAD at most. */
#define CT__HEAD 16
ct_status ct__slurp(const ct_files *f, ct_scratch *s, const char *path, uint8_t **data, ct__stamp *stamp,
                    int *over, ct_err *e);

/* The file is as `was`; CT_EIO where it is gone or changed. `now`: what was read; NULL: looked up. */
ct_status ct__unchanged(const char *path, const ct__stamp *was, const ct__stamp *now, ct_err *e);

/* images_source.c */
/* The text of t's steps that draw nothing and leave bytes, in the arena; NULL: out of memory. */
char *ct__prefix_text(ct_images *s, const ct_transform *t);
/* The shape of record i's planes. */
void ct__images_shape(const ct_images *s, int64_t i, int64_t shape[3]);
/* Pixels [C,H,W] of record i, in the scratch or in an array. */
ct_status ct__images_planes(const ct_images *s, int64_t i, ct_scratch *scratch, uint8_t **planes,
                            int64_t shape[3], ct_err *e);
/* duplicates.c */
/* Fills thumb and slopes. */
ct_status ct__look_at(ct__record *r, const uint8_t *planes, const int64_t shape[3], ct_scratch *scratch,
                      ct_err *e);
ct_status ct__find_pairs(const ct_images *s, uint64_t seed, ct_audit *out, ct_err *e);

#endif
