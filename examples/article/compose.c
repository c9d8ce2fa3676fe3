/* The article's sixth block: transforms.Compose([transforms.Resize((256, 256)), transforms.ToTensor()]), on a picture of
 * 60 x 40 with red = 4 column, green = 6 row, blue = (7 column + 5 row) mod 256. Bytes are those of Pillow, which does
 * the original's resizing. The text is what `cotan train image --transform` takes and what a model file keeps. */
#include <stdio.h>

#include "cotan/data.h"

enum { W = 60, H = 40, SIZE = 256 };

int main(void) {
    static uint8_t picture[3][H][W];
    static float out[3][SIZE * SIZE];
    int64_t shape[3] = {3, H, W}, made[3];
    double mean[3] = {0};
    ct_transform *transform;
    ct_err e = {0};
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            picture[0][y][x] = (uint8_t)(4 * x);
            picture[1][y][x] = (uint8_t)(6 * y);
            picture[2][y][x] = (uint8_t)((7 * x + 5 * y) % 256);
        }
    if (ct_transform_parse(NULL, "resize 256x256, to_tensor", &transform, &e) ||
        ct_transform_shape(transform, shape, made, &e) ||
        ct_transform_run(transform, NULL, &picture[0][0][0], shape, (ct_draw){.epoch = -1}, out[0], &e))
        return puts(e.text), 1;
    printf("shape: %lld %lld %lld\n", (long long)made[0], (long long)made[1], (long long)made[2]);
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < SIZE * SIZE; i++) mean[c] += (double)out[c][i] / (SIZE * SIZE);
        printf("channel %d: %.6f %.6f %.6f mean %.6f\n", c, (double)out[c][0],
               (double)out[c][100 * SIZE + 37], (double)out[c][SIZE * SIZE - 1], mean[c]);
    }
    ct_transform_free(transform);
    return 0;
}
