/* order.c: which record stands at a place of an epoch: a function of (seed, epoch, place).
 *
 * Fisher and Yates' shuffle needs the whole list. Where that would take more memory than the data are worth (a
 * source may count billions of records) the permutation is computed place by place: a Feistel network, which
 * is one-to-one whatever its round function, on the least 2^2h not below count; a value beyond the count is
 * sent through again until it is inside, which keeps it one-to-one on 0..count-1. */
#include "data/order.h"

#define ROUNDS 8
#define STREAM UINT64_C(0x73687566) /* keeps these numbers apart from other streams of the seed */

int ct__order_open(ct__order *o, const ct_allocator *a, int64_t count, int32_t shuffle, uint64_t seed) {
    *o =
        (ct__order){.allocator = a, .seed = seed, .count = count, .epoch = -1, .shuffle = shuffle, .half = 1};
    while (((count - 1) >> o->half) >> o->half) o->half++;
    if (!shuffle || count > CT__ORDER_LISTED) return 1;
    o->list = ct_new_array(a, (uint64_t)count, sizeof *o->list);
    return o->list != NULL;
}

void ct__order_close(ct__order *o) {
    ct_delete(o->allocator, o->list, (size_t)o->count * sizeof *o->list);
    o->list = NULL;
}

void ct__order_epoch(ct__order *o, int64_t epoch) {
    if (epoch == o->epoch) return;
    o->epoch = epoch;
    if (!o->list) return;
    for (int64_t i = 0; i < o->count; i++) o->list[i] = i;
    ct_random r = ct_random_stream(o->seed, STREAM + (uint64_t)epoch * 2);
    for (int64_t i = o->count - 1; i > 0; i--) {
        int64_t k = (int64_t)ct_random_below(&r, (uint64_t)i + 1), keep = o->list[i];
        o->list[i] = o->list[k];
        o->list[k] = keep;
    }
}

static uint64_t through(const ct__order *o, uint64_t x) {
    uint64_t mask = (UINT64_C(1) << o->half) - 1, left = x >> o->half, right = x & mask;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t word[3] = {right, i, (uint64_t)o->epoch},
                 next = left ^ (ct_hash64(word, sizeof word, o->seed ^ STREAM) & mask);
        left = right;
        right = next;
    }
    return left << o->half | right;
}

int64_t ct__order_record(const ct__order *o, int64_t place) {
    if (o->list) return o->list[place];
    if (!o->shuffle) return place;
    uint64_t x = through(o, (uint64_t)place);
    while (x >= (uint64_t)o->count) x = through(o, x);
    return (int64_t)x;
}
