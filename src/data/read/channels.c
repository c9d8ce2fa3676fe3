/* channels.c: sets of pictures in arrays, grey or in colour as a net wants them, by the rules of single pictures
 * (picture.c): grey stands in all three channels, colour becomes grey by its luma. */
#include <string.h>

#include "cotan/data.h"
#include "data/luma.h"

static void widen(const uint8_t *from, int64_t n, int64_t plane, uint8_t *to) {
    for (int64_t i = 0; i < n; i++, from += plane)
        for (int c = 0; c < 3; c++, to += plane) memcpy(to, from, (size_t)plane);
}

static void narrow(const uint8_t *from, int64_t n, int64_t plane, uint8_t *to) {
    for (int64_t i = 0; i < n; i++, from += 3 * plane)
        for (int64_t k = 0; k < plane; k++) *to++ = ct__luma(from[k], from[plane + k], from[2 * plane + k]);
}

ct_status ct_pictures_channels(const ct_allocator *a, ct_array *x, int32_t channels, ct_err *e) {
    if (x->dtype != CT_U8 || x->rank < 3 || x->rank > 4 || !ct_array_contiguous(x) ||
        (channels != 1 && channels != 3))
        return ct_fail(
            e, CT_EUSAGE,
            "pictures: %s of %d axes in %d channels; wanted u8 [N,H,W] or [N,C,H,W] in 1 or 3; convert them",
            ct_dtype_name((ct_dtype)x->dtype), x->rank, channels);
    int64_t has = x->rank == 3 ? 1 : x->dim[1], n = x->dim[0], h = x->dim[x->rank - 2],
            w = x->dim[x->rank - 1];
    if (has == channels) return CT_OK;
    if (has != 1 && has != 3)
        return ct_fail(e, CT_EDATA, "pictures: %lld channels; wanted 1 or 3; convert them", (long long)has);
    ct_array y;
    ct_status s = ct_array_new(a, CT_U8, CT_SHAPE(n, channels, h, w), &y, e);
    if (s) return s;
    (channels == 3 ? widen : narrow)(x->data, n, h * w, y.data);
    ct_array_free(x);
    *x = y;
    return CT_OK;
}
