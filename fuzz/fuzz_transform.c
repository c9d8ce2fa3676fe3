/* fuzz_transform.c: any text as a list of steps: an error with its place, or a list that prints, parses back to the same,
 * and makes of a picture what its shape rule says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/data.h"
#include "fuzz.h"

#define MOST_FLOATS (1 << 20)

static void run(const ct_transform *t, const uint8_t *picture, int64_t channels) {
    int64_t shape[3] = {channels, 9, 13}, made[3];
    ct_err e = {0};
    if (ct_transform_shape(t, shape, made, &e)) {
        fuzz_must(e.text[0] != 0);
        return;
    }
    if (made[0] * made[1] * made[2] > MOST_FLOATS) return;
    float *out = malloc((size_t)(made[0] * made[1] * made[2]) * sizeof *out);
    fuzz_must(out != NULL);
    for (int64_t epoch = -1; epoch < 3; epoch++) {
        ct_status s = ct_transform_run(t, NULL, picture, shape, (ct_draw){epoch, epoch, 7}, out, &e);
        fuzz_must(s == CT_OK || s == CT_ELIMIT);
        if (s) break;
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static uint8_t picture[3 * 9 * 13];
    char *text = malloc(bytes + 1);
    fuzz_must(text != NULL);
    memcpy(text, data, bytes);
    text[bytes] = 0;
    ct_transform *t = NULL, *again = NULL;
    ct_err e = {0};
    ct_text once = {0}, twice = {0};
    ct_status s = ct_transform_parse(NULL, text, &t, &e);
    fuzz_must(s ? s == CT_EUSAGE && strncmp(e.text, "transform:", 10) == 0 && e.pos >= 0 &&
                      e.pos <= (int64_t)bytes
                : t != NULL);
    if (!s) {
        fuzz_must(ct_transform_text(t, &once) == CT_OK);
        fuzz_must(ct_transform_parse(NULL, once.data, &again, &e) == CT_OK);
        fuzz_must(ct_transform_text(again, &twice) == CT_OK);
        fuzz_must(!once.data == !twice.data && (!once.data || strcmp(once.data, twice.data) == 0));
        for (size_t i = 0; i < sizeof picture; i++) picture[i] = (uint8_t)(i * 37);
        run(t, picture, 1);
        run(t, picture, 3);
    }
    ct_text_free(&once);
    ct_text_free(&twice);
    ct_transform_free(t);
    ct_transform_free(again);
    free(text);
    return 0;
}

void fuzz_seeds(void (*add)(void *user, const void *data, size_t bytes), void *user) {
    static const char *const seeds[] = {
        "",
        "resize 12, center_crop 8, to_tensor, normalize mean=0.485:0.456:0.406 std=0.229:0.224:0.225",
        "resize 32x24 filter=lanczos order=across",
        "resize 5x4 filter=nearest, resize 7 filter=box, resize 3x9 filter=hamming",
        "random_crop 8 pad=2 fill=3:4:5 mode=reflect, flip",
        "random_resized_crop 24x16 scale=0.2:0.9 ratio=1 filter=bicubic",
        "pad 1:2:3:4 mode=symmetric\nvertical_flip 1 # upside down\n\nrotate 20 filter=bilinear fill=128",
        "affine 0:30 translate=0.1:0.2 scale=0.8:1.2 shear_x=5 shear_y=-3:3",
        "color_jitter brightness=0.4 contrast=0.5:1.5 saturation=2 hue=0.1, grey",
        "random_grey 0.5, blur 3 sigma=0.5 p=0.3, randaugment 3 m=5 bins=11 fill=128, trivial_augment",
        "normalize mean=0.5 std=0.5, erasing 0.7 value=0.1, mixup 0.3, cutmix",
        "flip,,flip",
        "resise 3",
    };
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) add(user, seeds[i], strlen(seeds[i]));
}
