/* picture.h: what a decoder of pictures is: a row of the table ct__decoders, in a file of its own. */
#ifndef CT_DATA_PICTURE_H
#define CT_DATA_PICTURE_H

#include "data/scratch.h"

typedef struct ct__pic { /* one picture on its way */
    const uint8_t *data;
    uint64_t bytes;
    const char *name;
    ct_picture_options o;
    ct_picture_info info; /* while decoding width and height are those of the file */
    ct_scratch *scratch;
    uint8_t *planes;      /* [channels,H,W], where rows go */
    int64_t channels;     /* of `planes` */
    int32_t cut;          /* 1: the end is missing, and that is accepted */
    int32_t samples;      /* interleaved values of a pixel that the decoder gives */
    int32_t lacks_tables; /* 1: a JPEG that uses tables which it does not define */
    ct_err *e;
} ct__pic;

typedef struct ct__decoder {
    int32_t format;
    const char *name;
    int (*is)(const uint8_t *data, uint64_t bytes);
    ct_status (*probe)(ct__pic *p);  /* fills info and samples; takes no memory */
    ct_status (*decode)(ct__pic *p); /* rows through ct__store_row */
} ct__decoder;

extern const ct__decoder ct__decode_png, ct__decode_jpeg, ct__decode_webp, ct__decode_npy;

/* picture.c. Decode into the scratch's ROOM_PICTURE (`out` NULL) or a new array; *planes of `shape` [C,H,W]. */
ct_status ct__picture_decode(ct_scratch *s, const void *data, uint64_t bytes, const char *name,
                             const ct_picture_options *o, const ct_allocator *a, ct_array *out,
                             uint8_t **planes, int64_t shape[3], ct_picture_info *info, ct_err *e);
/* CT_ELIMIT where width x height pass the limit. */
ct_status ct__pic_limit(const ct__pic *p, uint64_t width, uint64_t height, int64_t at);
void ct__pic_warn(ct__pic *p, const char *text);
/* Row y, `samples` interleaved values a pixel: grey, grey+alpha, RGB, RGBA. */
void ct__store_row(const ct__pic *p, int64_t y, const uint8_t *row);

/* turn.c */
int32_t ct__exif_turn(const uint8_t *tiff, uint64_t bytes); /* 1 where it says nothing */
/* Planes [c,h,w] as EXIF orientation `turn` shows them; turns 5 to 8 give [c,w,h]. */
void ct__turn_planes(const uint8_t *in, int64_t c, int64_t h, int64_t w, int32_t turn, uint8_t *out);

#endif
