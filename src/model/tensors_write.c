/* tensors_write.c: the safetensors writer. Tensors in the order they were added, data 8-aligned by padding
 * the header with spaces; the same tensors give the same bytes. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "model/tensors.h"

static void write_string(ct_text *out, const char *text) {
    json_t *s = json_string(text);
    char *dump = s ? json_dumps(s, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    if (dump)
        ct_text_add(out, dump);
    else
        out->failed = 1;
    free(dump);
    json_decref(s);
}

static void write_metadata(const ct_tensors *t, ct_text *out) {
    ct_text_add(out, "\"__metadata__\":{");
    for (int64_t i = 0; i < t->pairs; i++) {
        if (i) ct_text_add(out, ",");
        write_string(out, t->pair[i].key);
        ct_text_add(out, ":");
        write_string(out, t->pair[i].value);
    }
    ct_text_add(out, "}");
}

ct_status ct__safetensors_header(const ct_tensors *t, ct_text *out, ct_err *e) {
    uint64_t at = 0;
    ct_text_add(out, "{");
    if (t->pairs) write_metadata(t, out);
    for (int64_t i = 0; i < t->count; i++) {
        const ct__tensor *r = &t->tensor[i];
        if (i || t->pairs) ct_text_add(out, ",");
        write_string(out, r->name);
        ct_text_format(out, ":{\"dtype\":\"%s\",\"shape\":[", ct__safetensors_type(r->dtype));
        for (int32_t k = 0; k < r->shape.rank; k++)
            ct_text_format(out, "%s%lld", k ? "," : "", (long long)r->shape.dim[k]);
        ct_text_format(out, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)at,
                       (unsigned long long)(at + r->bytes));
        at += r->bytes;
    }
    ct_text_add(out, "}");
    while (!out->failed && out->length % 8) ct_text_add(out, " ");
    if (out->failed) return ct_fail(e, CT_ELIMIT, "tensors: out of memory for the header");
    return CT_OK;
}

static void put_length(uint8_t out[8], uint64_t v) {
    for (int i = 0; i < 8; i++) out[i] = (uint8_t)(v >> (8 * i));
}

ct_status ct_tensors_bytes(const ct_tensors *t, const ct_allocator *a, void **data, uint64_t *bytes,
                           ct_err *e) {
    ct_text header = {.allocator = t->allocator};
    ct_status s = ct__safetensors_header(t, &header, e);
    uint64_t total = 8 + header.length;
    for (int64_t i = 0; i < t->count; i++) total += t->tensor[i].bytes;
    uint8_t *p = s ? NULL : ct_new(a, total);
    if (!s && !p)
        s = ct_fail(e, CT_ELIMIT, "tensors: out of memory for %llu bytes", (unsigned long long)total);
    if (!s) {
        uint8_t *at = p + 8 + header.length;
        put_length(p, header.length);
        memcpy(p + 8, header.data, header.length);
        for (int64_t i = 0; i < t->count; at += t->tensor[i++].bytes)
            if (t->tensor[i].bytes) memcpy(at, t->tensor[i].data, t->tensor[i].bytes);
        *data = p;
        *bytes = total;
    }
    ct_text_free(&header);
    return s;
}

ct_status ct_tensors_save(const ct_files *f, const ct_tensors *t, const char *path, ct_err *e) {
    ct_text header = {.allocator = t->allocator};
    ct_writer *w = NULL;
    uint8_t length[8];
    ct_status s = ct__safetensors_header(t, &header, e);
    if (!s) s = ct_writer_open(f, t->allocator, path, &w, e);
    put_length(length, header.length);
    if (!s) s = ct_writer_write(w, length, sizeof length, e);
    if (!s) s = ct_writer_write(w, header.data, header.length, e);
    for (int64_t i = 0; i < t->count && !s; i++)
        s = ct_writer_write(w, t->tensor[i].data, t->tensor[i].bytes, e);
    ct_text_free(&header);
    if (s) {
        ct_writer_abandon(w);
        return s;
    }
    return ct_writer_commit(w, e);
}
