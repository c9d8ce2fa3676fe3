/* order.h: the order of an epoch's records. */
#ifndef CT_DATA_ORDER_H
#define CT_DATA_ORDER_H

#include "cotan/base.h"

typedef struct ct__order {
    const ct_allocator *allocator;
    uint64_t seed;
    int64_t count, epoch;
    int64_t *list; /* a shuffled epoch of up to CT__ORDER_LISTED records; else NULL */
    int32_t shuffle, half;
} ct__order;

/* Up to so many records a permutation is kept (8 bytes each), beyond it is computed. */
#define CT__ORDER_LISTED (INT64_C(1) << 26)

/* 0: out of memory. */
int ct__order_open(ct__order *o, const ct_allocator *a, int64_t count, int32_t shuffle, uint64_t seed);
void ct__order_close(ct__order *o);
void ct__order_epoch(ct__order *o, int64_t epoch);           /* before the first record of an epoch */
int64_t ct__order_record(const ct__order *o, int64_t place); /* place 0..count-1 */

#endif
