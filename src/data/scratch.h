/* scratch.h: memory that one thread works in. Each slot is a block that only grows, so that a loop over
 * pictures allocates until it has seen the largest and never again. */
#ifndef CT_DATA_SCRATCH_H
#define CT_DATA_SCRATCH_H

#include <pthread.h>

#include "cotan/data.h"

enum {
    CT__ROOM_A, /* pixels, to and fro between the steps of a transform */
    CT__ROOM_B,
    CT__ROOM_TABLE,  /* coefficients, index tables */
    CT__ROOM_MIDDLE, /* between two passes of one step */
    CT__ROOM_BLOCK,  /* of a pass */
    CT__ROOM_ROWS,   /* a decoder's interleaved rows */
    CT__ROOM_PICTURE,
    CT__ROOM_FILE,
    CT__ROOMS
};

struct ct_scratch {
    const ct_allocator *allocator;
    void *room[CT__ROOMS];
    size_t bytes[CT__ROOMS];
    void *decoder; /* a TurboJPEG handle, or NULL */
    void (*decoder_free)(void *decoder);
};

/* At least `bytes` bytes, contents undefined; NULL and CT_ELIMIT recorded when memory is out. Earlier pointers
 * to the slot are invalid. */
void *ct__room(ct_scratch *s, int slot, uint64_t bytes, ct_err *e);

/* Scratches for threads that come and go: one is taken for a picture and given back; there are as many as threads
 * ever met. */
#define CT__SCRATCHES 64
typedef struct ct__scratches {
    const ct_allocator *allocator;
    pthread_mutex_t lock;
    ct_scratch *free[CT__SCRATCHES];
    int32_t count, reserved;
} ct__scratches;
void ct__scratches_open(ct__scratches *p, const ct_allocator *a);
void ct__scratches_close(ct__scratches *p);
ct_scratch *ct__scratches_take(ct__scratches *p, ct_err *e); /* NULL: out of memory, recorded */
void ct__scratches_give(ct__scratches *p, ct_scratch *s);

#endif
