/* A folder of pictures, one sub-folder a class, to a model: what `cotan train image DIR` does, as calls.
 *   cc photos.c $(pkg-config --cflags --libs cotan-data) -o photos_to_model;  ./photos_to_model photos/ birds.safetensors
 * Without arguments it draws pictures first, so that the example runs alone. */
#include <stdio.h>

#include "cotan/task.h"
#include "pictures.h"

static void tell(void *user, const ct_event *event) {
    (void)user;
    if (event->kind == CT_EVENT_FACT || event->kind == CT_EVENT_NOTE)
        printf("%s: %s\n", event->key, event->text);
    if (event->kind == CT_EVENT_EPOCH)
        printf("epoch %lld: validation accuracy %.3f\n", (long long)event->row->epoch, event->row->accuracy);
}

int main(int argc, char **argv) {
    const char *data = argc > 1 ? argv[1] : "photos_example",
               *model = argc > 2 ? argv[2] : "photos.safetensors";
    ct_err e = {0};
    ct_train_result result;
    ct_evaluation test;
    ct_model *m;
    if (argc < 2 && make_pictures(data, &e)) return fprintf(stderr, "%s\n", e.text), 1;
    ct_image_train job = {.data = data, .output = model, .epochs = 6, .force = 1, .tell = tell};
    if (ct_train_image(&job, &result, &e) || ct_model_open(model, NULL, &m, &e) ||
        ct_evaluate_image(m, data, NULL, 0, &test, &e))
        return fprintf(stderr, "%s\n", e.text), 1;
    printf("%s part: accuracy %.3f (%.3f to %.3f), baseline %.3f\n", test.part, test.score.accuracy,
           test.score.low, test.score.high, test.score.baseline);
    ct_evaluation_free(&test);
    ct_model_close(m);
    return argc < 2 && test.score.accuracy < 0.9;
}
