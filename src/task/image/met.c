/* met.c: which pictures a model has met. The training pictures of least hashes, a few of them, stand in the model, so that
 * a set with some of them in it is known though others were added to it or taken out. */
#include "task/image/met.h"

#include <stdlib.h>
#include <string.h>

#define KEPT 64

static int by_hash(const void *a, const void *b) {
    const ct_hash128 *x = a, *y = b;
    if (x->high != y->high) return x->high > y->high ? 1 : -1;
    return (x->low > y->low) - (x->low < y->low);
}

/* ct_hash_hex turned round. */
static ct_hash128 hash_of(const char *hex) {
    char high[17] = {0};
    if (!hex || strlen(hex) != 32) return (ct_hash128){0, 0};
    memcpy(high, hex, 16);
    return (ct_hash128){.low = strtoull(hex + 16, NULL, 16), .high = strtoull(high, NULL, 16)};
}

/* Of the records `index` [n], NULL: the first n; sorted, with room for one more. */
static ct_hash128 *sorted(const ct_allocator *a, const ct_images *s, const int64_t *index, int64_t n,
                          ct_err *e) {
    ct_hash128 *h = ct_new_array(a, (uint64_t)n + 1, sizeof *h);
    if (!h) {
        ct_fail(e, CT_ELIMIT, "data: out of memory for the hashes of %lld pictures", (long long)n);
        return NULL;
    }
    for (int64_t i = 0; i < n; i++) {
        ct_image r = {0};
        (void)ct_images_at(s, index ? index[i] : i, &r);
        h[i] = r.hash;
    }
    qsort(h, (size_t)n, sizeof *h, by_hash);
    return h;
}

static void give_back(const ct_allocator *a, ct_hash128 *h, int64_t n) {
    ct_delete(a, h, ((uint64_t)n + 1) * sizeof *h);
}

json_t *ct__met_json(const ct_allocator *a, const ct_images *s, const int64_t *index, int64_t n, ct_err *e) {
    ct_hash128 *h = sorted(a, s, index, n, e);
    json_t *list = h ? json_array() : NULL;
    for (int64_t i = 0; list && i < n && i < KEPT; i++) {
        char hex[33];
        ct_hash_hex(h[i], hex);
        json_array_append_new(list, json_string(hex));
    }
    if (h && !list) ct_fail(e, CT_ELIMIT, "model: out of memory");
    give_back(a, h, n);
    return list;
}

ct_status ct__met_percent(ct_model *m, const ct_images *s, double *percent, ct_err *e) {
    const ct_allocator *a = ct_allocator_of(ct_model_context(m));
    int64_t n = ct_images_count(s);
    json_t *doc = json_loads(ct_model_document(m), 0, NULL);
    const json_t *list = json_object_get(json_object_get(doc, "data"), "met");
    size_t kept = json_array_size(list), found = 0;
    ct_hash128 *h = sorted(a, s, NULL, n, e);
    for (size_t i = 0; h && i < kept; i++) {
        ct_hash128 one = hash_of(json_string_value(json_array_get(list, i)));
        found += bsearch(&one, h, (size_t)n, sizeof one, by_hash) != NULL;
    }
    *percent = kept ? 100 * (double)found / (double)kept : 0;
    json_decref(doc);
    give_back(a, h, n);
    return h ? CT_OK : CT_ELIMIT;
}

ct_status ct__met_shared(const ct_allocator *a, const ct_images *one, const ct_images *other,
                         const int64_t *index, int64_t n, int64_t *shared, ct_err *e) {
    ct_hash128 *h = sorted(a, other, index, n, e);
    *shared = 0;
    for (int64_t i = 0; h && i < ct_images_count(one); i++) {
        ct_image r = {0};
        (void)ct_images_at(one, i, &r);
        *shared += bsearch(&r.hash, h, (size_t)n, sizeof r.hash, by_hash) != NULL;
    }
    give_back(a, h, n);
    return h ? CT_OK : CT_ELIMIT;
}
