/* fuzz_picture.c: any bytes as a picture: an answer with a text, or planes of the size that the look before promised. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/data.h"
#include "fuzz.h"
#include "images/samples.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    for (int32_t cut = 0; cut < 2; cut++) {
        ct_picture_options o = {.accept_cut = cut, .max_pixels = 1 << 16, .background = CT_RGB(10, 20, 30)};
        ct_picture_info probed = {0}, info = {0};
        ct_array a = {0};
        ct_err e = {0}, e2 = {0};
        ct_status look = ct_picture_probe(data, bytes, "input", &o, &probed, &e2);
        ct_status s = ct_picture_decode(NULL, data, bytes, "input", &o, &a, &info, &e);
        fuzz_must(s == CT_OK || s == CT_EDATA || s == CT_ELIMIT);
        fuzz_must(s ? e.text[0] != 0 && !a.data : look == CT_OK && a.data);
        if (s) continue;
        fuzz_must(a.dim[1] == probed.height && a.dim[2] == probed.width && a.dim[1] * a.dim[2] <= 1 << 16);
        fuzz_must(a.dim[0] == 1 || a.dim[0] == 3);
        ct_array_free(&a);
    }
    return 0;
}

void fuzz_seeds(void (*add)(void *user, const void *data, size_t bytes), void *user) {
    static sample s[SAMPLES_MOST];
    int n = samples_load(s);
    for (int i = 0; i < n; i++) add(user, s[i].data, s[i].bytes);
    free(s[0].data);
}
