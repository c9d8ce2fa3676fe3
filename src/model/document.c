/* document.c: the JSON document of a model file, and the hashes that tie it to the tensors.
 *
 * "tensors" holds an xxh3-128 of each tensor's bytes, "header" one of the whole header. The header contains
 * itself, so it is hashed with its own 32 digits as zeros and the digits are put in afterwards; a reader does
 * the same. */
#include "model/document.h"

#include <stdlib.h>
#include <string.h>

#include "model/tensors.h"

static const char zeros[] = "00000000000000000000000000000000";
#define HEADER_KEY "\\\"header\\\":\\\"" /* as it stands in the header: a JSON string inside a JSON string */

json_t *ct__document_parse(const char *text, const char *what, ct_err *e) {
    json_error_t je;
    json_t *doc = json_loads(text, JSON_REJECT_DUPLICATES, &je);
    if (doc && json_is_object(doc)) return doc;
    ct_fail(e, CT_EDATA, "%s: its document is no JSON object (%.200s); wanted one; the file is damaged", what,
            doc ? "another type" : je.text);
    json_decref(doc);
    return NULL;
}

char *ct__document_dump(const json_t *doc) {
    return json_dumps(doc, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENSURE_ASCII);
}

static json_t *tensor_hashes(const ct_tensors *t) {
    json_t *map = json_object();
    int failed = 0;
    for (int64_t i = 0; map && i < t->count; i++) {
        char hex[33];
        ct_hash_hex(ct_hash_bytes(t->tensor[i].data, t->tensor[i].bytes), hex);
        failed |= json_object_set_new(map, t->tensor[i].name, json_string(hex));
    }
    if (failed) json_decref(map);
    return failed ? NULL : map;
}

static ct_status set_document(ct_tensors *t, json_t *doc, const char *digits, ct_err *e) {
    int failed = json_object_set_new(doc, "header", json_string(digits));
    char *text = failed ? NULL : ct__document_dump(doc);
    ct_status s = text ? ct_tensors_set(t, "cotan", text, e)
                       : ct_fail(e, CT_ELIMIT, "model: out of memory for its document");
    free(text);
    return s;
}

ct_status ct__document_seal(ct_tensors *t, json_t *doc, ct_err *e) {
    char hex[33];
    ct_text header = {.allocator = t->allocator};
    ct_status s = json_object_set_new(doc, "tensors", tensor_hashes(t))
                      ? ct_fail(e, CT_ELIMIT, "model: out of memory for its document")
                      : ct_tensors_set(t, "format", "pt", e);
    if (!s) s = set_document(t, doc, zeros, e);
    if (!s) s = ct__safetensors_header(t, &header, e);
    if (!s) {
        ct_hash_hex(ct_hash_bytes(header.data, header.length), hex);
        s = set_document(t, doc, hex, e);
    }
    ct_text_free(&header);
    return s;
}

/* The digits in the raw header, or NULL. */
static char *find_digits(char *header, uint64_t length) {
    size_t n = strlen(HEADER_KEY);
    for (uint64_t i = 0; i + n + 32 <= length; i++)
        if (memcmp(header + i, HEADER_KEY, n) == 0) return header + i + n;
    return NULL;
}

static ct_status check_header(const ct_tensors *t, const char *file, ct_err *e) {
    const uint8_t *raw = t->file;
    uint64_t length = 0;
    char hex[33], found[33] = {0};
    for (int i = 7; i >= 0; i--) length = length << 8 | raw[i];
    char *copy = ct_new(t->allocator, length + 1);
    if (!copy) return ct_fail_at(e, CT_ELIMIT, file, -1, "out of memory");
    memcpy(copy, raw + 8, length);
    char *digits = find_digits(copy, length);
    if (digits) {
        memcpy(found, digits, 32);
        memset(digits, '0', 32);
    }
    ct_hash_hex(ct_hash_bytes(copy, length), hex);
    ct_delete(t->allocator, copy, length + 1);
    if (strcmp(hex, found) == 0) return CT_OK;
    return ct_fail_at(
        e, CT_EDATA, file, 8,
        "the header's hash is %.32s; wanted %s; the file was changed or damaged: take another copy",
        found[0] ? found : "missing", hex);
}

static ct_status check_tensors(const ct_tensors *t, const json_t *hashes, const char *file, ct_err *e) {
    for (int64_t i = 0; i < t->count; i++) {
        char hex[33];
        const char *want = json_string_value(json_object_get(hashes, t->tensor[i].name));
        ct_hash_hex(ct_hash_bytes(t->tensor[i].data, t->tensor[i].bytes), hex);
        if (want && strcmp(want, hex) == 0) continue;
        int64_t at = t->tensor[i].own ? -1 : (const uint8_t *)t->tensor[i].data - (const uint8_t *)t->file;
        return ct_fail_at(e, CT_EDATA, file, at,
                          "tensor \"%.200s\": its hash is %s; wanted %s; the file was changed or damaged: "
                          "take another copy",
                          t->tensor[i].name, hex, want ? want : "one in the document");
    }
    return CT_OK;
}

ct_status ct__document_check(const ct_tensors *t, const json_t *doc, const char *file, ct_err *e) {
    const json_t *format = json_object_get(doc, "format");
    if (!json_is_integer(format) || json_integer_value(format) != CT_MODEL_FORMAT)
        return ct_fail_at(e, CT_EDATA, file, -1,
                          "document format %lld; wanted %d, which this version reads; use a newer cotan",
                          json_is_integer(format) ? (long long)json_integer_value(format) : -1,
                          CT_MODEL_FORMAT);
    ct_status s = check_header(t, file, e);
    return s ? s : check_tensors(t, json_object_get(doc, "tensors"), file, e);
}
