/* fuzz_idx.c: any bytes as an idx file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/data.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    ct_array a = {0};
    ct_err e = {0};
    ct_status s = ct_idx_parse(NULL, data, bytes, "input", &a, &e);
    fuzz_must(s == CT_OK || s == CT_EDATA || s == CT_ELIMIT);
    fuzz_must(s ? e.text[0] != 0 : a.rank >= 1 && ct_array_count(&a) <= bytes);
    if (!s) ct_array_free(&a);
    return 0;
}

void fuzz_seeds(void (*add)(void *user, const void *data, size_t bytes), void *user) {
    static const struct {
        const char *bytes;
        size_t n;
    } seeds[] = {
        {"\0\0\x08\x01\0\0\0\x03\1\2\3", 11},
        {"\0\0\x08\x03\0\0\0\1\0\0\0\2\0\0\0\2\1\2\3\4", 20},
        {"\0\0\x0b\x01\0\0\0\x02\xff\xfe\1\0", 12},
        {"\0\0\x0c\x02\0\0\0\x01\0\0\0\1\0\0\0\7", 16},
        {"\0\0\x0d\x01\0\0\0\x01\x3f\x80\0\0", 12},
        {"\0\0\x0e\x01\0\0\0\x01\x3f\xf0\0\0\0\0\0\0", 16},
        {"\0\0\x0d\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16},
        {"\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 16},
        {"\x03\x08\0\0\0\0\0\1", 8},
        {"\x1f\x8b\x08\0", 4},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) add(user, seeds[i].bytes, seeds[i].n);
}
