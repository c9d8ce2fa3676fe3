/* Raw RGB buffers, as from a camera, through a model: after the first frame nothing is allocated.
 *   cc frames.c -lcotan-data -lcotan;  ./a.out model.safetensors     frames of 24x24 are drawn here
 * Without an argument it trains a small model first, so that the example runs alone. */
#include <stdio.h>
#include <stdlib.h>

#include "cotan/task.h"
#include "pictures.h"

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "frames.safetensors";
    ct_image_train job = {.data = "frames_example", .output = path, .epochs = 6, .force = 1};
    ct_train_result result;
    ct_err e = {0};
    ct_model *m;
    ct_transform *t;
    ct_session *s;
    if ((argc < 2 && (make_pictures(job.data, &e) || ct_train_image(&job, &result, &e))) ||
        ct_model_open(path, NULL, &m, &e) ||
        ct_transform_parse(NULL, ct_model_text(m, "transform"), &t, &e) ||
        ct_session_new(ct_model_context(m), &s, &e))
        return fprintf(stderr, "%s\n", e.text), 1;
    ct_scratch *scratch = ct_scratch_new(NULL);
    int64_t shape[3] = {3, SIDE, SIDE}, made[3], classes = ct_model_labels(m), right = 0;
    if (!scratch || ct_transform_shape(t, shape, made, &e)) return fprintf(stderr, "%s\n", e.text), 1;
    uint8_t rgb[SIDE * SIDE * 3], planes[3 * SIDE * SIDE];
    float *x = malloc((size_t)(made[0] * made[1] * made[2]) * sizeof *x),
          *logits = malloc((size_t)classes * sizeof *logits);
    const void *in[1] = {x};
    void *out[1] = {logits};
    for (int frame = 0; x && logits && frame < 200; frame++) {
        draw(rgb, frame % 2, 5000 + (uint64_t)frame); /* the camera's buffer */
        ct_rgb_planes(rgb, SIDE, SIDE, planes);
        if (ct_transform_run(t, scratch, planes, shape, (ct_draw){frame, -1, 0}, x, &e) ||
            ct_run(s, ct_model_plan(m), in, 1, out))
            return fprintf(stderr, "%s%s\n", e.text, ct_session_error(s)), 1;
        int64_t best = 0;
        for (int64_t k = 1; k < classes; k++)
            if (logits[k] > logits[best]) best = k;
        right += best == frame % 2;
    }
    printf("%lld of 200 frames named rightly\n", (long long)right);
    free(x);
    free(logits);
    ct_scratch_free(scratch);
    ct_session_free(s);
    ct_transform_free(t);
    ct_model_close(m);
    return argc < 2 && right < 180;
}
