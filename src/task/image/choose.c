/* choose.c: what the options leave open is chosen from the data before the first step, by its size alone, and
 * said; it stands in the recipe, so that the same command on the same data makes the same choices.
 *
 * The net: pictures under 8 pixels give nothing to pool, so three linear layers; few pictures are soon known by heart,
 * and small grey ones hold little to tell apart, so the article's small net; else residual nets, resnet20 where the
 * shorter side is up to 40, beyond it resnet18, whose stem halves twice, at half its width where there are under 20,000
 * pictures. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "task/image/job.h"

int64_t ct__batches(const ct__image_job *j) {
    return (j->train_count + j->recipe.batch - 1) / j->recipe.batch;
}

static int64_t shorter_side(const ct__image_job *j) {
    return j->shape[1] < j->shape[2] ? j->shape[1] : j->shape[2];
}

/* ---- the net ---- */

typedef struct choice {
    const char *model;
    ct_setting set; /* name NULL: none */
} choice;

static choice net_for(int64_t side, int64_t channels, int64_t pictures) {
    if (side < 8) return (choice){"mlp", {NULL, NULL}};
    if (side <= 40) return (choice){pictures < 2000 || channels == 1 ? "cnn" : "resnet20", {NULL, NULL}};
    return pictures < CT__FEW_PICTURES ? (choice){"resnet18", {"width", "32"}}
                                       : (choice){"resnet18", {NULL, NULL}};
}

static ct_status write_net(ct__image_job *j, const choice *c) {
    ct_setting set[65];
    int32_t n = 0, given = 0;
    ct_text net = {.allocator = &j->o->allocator};
    for (; n < j->o->n_set && n < 64; n++) {
        set[n] = j->o->set[n];
        given |= c->set.name && strcmp(set[n].name, c->set.name) == 0;
    }
    if (c->set.name && !given) set[n++] = c->set;
    snprintf(j->recipe.model, sizeof j->recipe.model, "%s", c->model);
    ct_status s = ct_net_print(ct_preset_text(c->model), c->model, set, n, &net, j->e);
    if (!s && !(j->recipe.net = ct_arena_text(&j->arena, net.data)))
        s = ct_fail(j->e, CT_ELIMIT, "net: out of memory");
    ct_text_free(&net);
    return s;
}

static ct_status choose_net(ct__image_job *j) {
    char count[32];
    if (j->recipe.net) return CT_OK;
    choice c = net_for(shorter_side(j), j->shape[0], j->train_count);
    ct__tell_fact(j, "chosen", "net %s%s%s%s%s for %s pictures of %lldx%lld", c.model, c.set.name ? ", " : "",
                  c.set.name ? c.set.name : "", c.set.name ? "=" : "", c.set.name ? c.set.value : "",
                  ct_group_digits(j->train_count, count), (long long)j->shape[2], (long long)j->shape[1]);
    return write_net(j, &c);
}

/* ---- the transform ---- */

static int64_t shorter_of(const int64_t size[2]) { return size[0] < size[1] ? size[0] : size[1]; }

/* Few pictures in colour that are large enough to be of things are known by heart long before a training ends. */
int ct__wants_variety(const ct__image_job *j, const int64_t size[2], int64_t channels) {
    return channels == 3 && shorter_of(size) >= 64 && j->train_count < CT__FEW_PICTURES;
}

/* All pictures are moved a little, up to a fourteenth where they are small. Colour pictures, which are of things, are
 * flipped too, and where variety is wanted changed by trivial_augment, what is outside being their mean colour; grey
 * ones may be letters and digits, which no flip leaves what they are (mirror.c). */
void ct__add_training_steps(const ct__image_job *j, ct_text *t, const int64_t size[2], int64_t channels,
                            const double *mean, int flip) {
    int64_t shorter = shorter_of(size);
    if (shorter < 16) return;
    ct_text_format(t, "%srandom_crop %lldx%lld pad=%lld mode=edge", t->length ? ", " : "", (long long)size[0],
                   (long long)size[1], (long long)shorter / (shorter < 64 ? 14 : 16));
    if (channels == 3 || flip) ct_text_add(t, ", flip 0.5");
    if (!mean || !ct__wants_variety(j, size, channels)) return;
    ct_text_format(t, ", trivial_augment fill=%.0f:%.0f:%.0f", mean[0] * 255, mean[1] * 255, mean[2] * 255);
}

/* ---- the training ---- */

static int64_t epochs_for(int64_t pictures) {
    int64_t epochs = 200000 / pictures;
    return epochs < 10 ? 10 : epochs > 60 ? 60 : epochs;
}

/* An average over a thirtieth of the training lags little behind at its end, and before it is as good as a lower rate. */
static void choose_average(ct__image_job *j) {
    double over = (double)j->recipe.steps / 30;
    if (j->o->average != 0) return;
    j->recipe.average = over < 5 ? 0 : over > 1e4 ? 1 - 1e-4 : round((1 - 1 / over) * 1e4) / 1e4;
}

/* Rates fall towards the end of the schedule, and the loss with them: a short patience would stop before that. */
static void choose_patience(ct__image_job *j) {
    ct__recipe *r = &j->recipe;
    if (j->o->patience != 0) return;
    r->patience = (int32_t)(r->epochs / 2 > 10 ? r->epochs / 2 : 10);
}

/* What hangs on the number of steps. */
ct_status ct__choose_by_steps(ct__image_job *j) {
    const ct__recipe *r = &j->recipe;
    if (r->warmup > r->steps)
        return ct_fail(j->e, CT_EUSAGE, "--warmup: %lld; wanted at most %lld, the steps in all; give fewer",
                       (long long)r->warmup, (long long)r->steps);
    if (r->stop_at > r->steps)
        return ct_fail(j->e, CT_EUSAGE,
                       "--stop-at: %lld; wanted at most %lld, the steps in all; leave it out",
                       (long long)r->stop_at, (long long)r->steps);
    choose_patience(j);
    choose_average(j);
    return CT_OK;
}

/* Each from the other where one alone is given. */
static ct_status choose_steps(ct__image_job *j) {
    ct__recipe *r = &j->recipe;
    int64_t batches = ct__batches(j);
    if (!j->o->epochs) r->epochs = epochs_for(j->train_count);
    r->steps = j->o->steps ? j->o->steps : r->epochs * batches;
    if (!j->o->epochs) r->epochs = (r->steps + batches - 1) / batches;
    if (r->steps > r->epochs * batches)
        return ct_fail(
            j->e, CT_EUSAGE, "--steps: %lld; wanted at most %lld, %lld epochs of %lld; give more --epochs",
            (long long)r->steps, (long long)(r->epochs * batches), (long long)r->epochs, (long long)batches);
    return CT_OK;
}

/* With a time limit the steps come from the pace, later (time.c); till then any average stands in, for all take the same
 * time and memory. */
ct_status ct__choose(ct__image_job *j) {
    ct_status s = choose_net(j);
    if (!s) s = choose_steps(j);
    if (s || !ct__time_decides(j)) return s ? s : ct__choose_by_steps(j);
    if (j->o->average == 0) j->recipe.average = 0.5;
    return CT_OK;
}
