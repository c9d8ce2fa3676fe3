/* cotan/nn.h: training. Optimisers, schedules, a training plan, and the loop on top of them.
 *
 *     ct_train t = {.optimiser = CT_ADAM, .lr = 1e-3};
 *     ct_trainer *trainer;
 *     ct_trainer_new(loss, NULL, 0, &t, &trainer, &e);       // gradient, clipping, updates, one plan
 *     while (!ct_next(loader, &batch, &e) && batch.rows) ct_trainer_step(trainer, &batch, &e);
 */
#ifndef COTAN_NN_H
#define COTAN_NN_H

#include "cotan.h"
#include "cotan/data.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A number field whose default is not zero takes this to mean zero. */
#define CT_ZERO 1e-300

/* ---- optimisers: PyTorch's formulas and defaults; Lion: Chen et al. 2023 ---- */
typedef enum ct_optimiser {
    CT_ADAM = 0,
    CT_ADAMW = 1,
    CT_SGD = 2,
    CT_NADAM = 3,
    CT_RMSPROP = 4,
    CT_ADAGRAD = 5,
    CT_ADADELTA = 6,
    CT_LION = 7
} ct_optimiser;
CT_API const char *ct_optimiser_name(int32_t optimiser); /* "adam" ...; NULL: no such */
CT_API int32_t ct_optimiser_of(const char *name);        /* -1: no such */

/* Parameters whose names begin with `prefix` (up to a '.' or whole) and end with `suffix`; NULL matches all.
 * The first group that matches a parameter is its own. */
typedef struct ct_group {
    const char *prefix, *suffix;
    double lr_scale;     /* times the learning rate; 0: 1 */
    double weight_decay; /* 0: the common one; CT_ZERO: none */
} ct_group;

typedef struct ct_train {
    int32_t optimiser;   /* a ct_optimiser */
    int32_t nesterov;    /* SGD */
    int32_t centered;    /* RMSprop */
    int32_t groups;      /* of `group` */
    double lr;           /* 0: the optimiser's default (adam 1e-3, sgd 1e-2, ...) */
    double momentum;     /* SGD, RMSprop */
    double beta1, beta2; /* Adam and kin; 0: 0.9, 0.999 (Lion 0.9, 0.99) */
    double eps;          /* 0: the optimiser's default */
    double alpha;        /* RMSprop's smoothing; 0: 0.99. Adadelta's rho; 0: 0.9 */
    double
        weight_decay; /* decoupled in AdamW and Lion (AdamW: 0 means 0.01), else added to the gradient (L2) */
    double l1;        /* added to the gradient as l1 * sign(w) */
    double clip_norm; /* > 0: gradients scaled so that their global norm is at most this */
    double clip_value; /* > 0: each element clipped to +- this (before the norm) */
    double
        average; /* > 0: decay of an exponential moving average of the weights (EMA), kept as moments "ema.NAME";
                  * after the first step it is the weights themselves (PyTorch's AveragedModel) */
    const ct_group *group;
    int64_t batch; /* the batch that fixes the shards; 0: each run's own */
    int64_t shard; /* rows of a shard; 0: by the core's rule */
    int32_t one_thread;
    int32_t decoupled;     /* 1: weight decay as w *= 1 - lr * weight_decay for any rule */
    double dampening;      /* SGD: share of the gradient that the momentum does not take */
    double lr_decay;       /* Adagrad: lr / (1 + (t - 1) * lr_decay) */
    double momentum_decay; /* NAdam: of its momentum's schedule; 0: 0.004 */
    int64_t more[4];       /* zero */
} ct_train;

/* The plan of a training step: outputs 0 loss, 1 global gradient norm (NaN when not asked for by clip_norm),
 * then `more`; effects: the updates. The learning rate is the session's scalar "lr". */
CT_API ct_status ct_compile_train(ct_t loss, const ct_t *more, int32_t n_more, const ct_train *t,
                                  ct_plan **out, ct_err *e);

/* The averages in the parameters' places, and the parameters in theirs; a second call puts them back. Parameters
 * without an average stay. Not while a run of the context is going on. */
CT_API ct_status ct_average_swap(ct_ctx *c, ct_err *e);

/* torch.nn.init.calculate_gain: what an initialiser multiplies by for the activation that follows: "linear", "sigmoid",
 * "tanh" (5/3), "relu" (sqrt 2), "leaky_relu" (sqrt(2 / (1 + slope^2)); slope 0: 0.01), "selu" (3/4), others 1.
 * ct_init_for chooses by it: Kaiming (normal, fan in) for relu and its kin, Xavier (uniform) with the gain for the
 * others. */
CT_API double ct_gain(const char *activation, double slope);
CT_API ct_init ct_init_for(const char *activation, double slope);

/* A training plan with its session. Inputs are matched to the batch's fields by name. */
typedef struct ct_trainer ct_trainer;
CT_API ct_status ct_trainer_new(ct_t loss, const ct_t *more, int32_t n_more, const ct_train *t,
                                const ct_source *like, ct_trainer **out, ct_err *e);
CT_API void ct_trainer_free(ct_trainer *t);
CT_API ct_session *ct_trainer_session(ct_trainer *t);
CT_API ct_plan *ct_trainer_plan(ct_trainer *t);
/* One step. *loss (may be NULL) is the batch's mean; more[i] gets extra output i (entries or `more` may be
 * NULL). A non-finite loss or norm changes nothing and is CT_ENONFINITE. */
CT_API ct_status ct_trainer_step(ct_trainer *t, const ct_batch *b, double lr, double *loss, void *const *more,
                                 ct_err *e);
CT_API double ct_trainer_norm(const ct_trainer *t); /* of the last step; NaN when not computed */

/* ---- schedules: a factor of the learning rate by step ---- */
/* With t the step from 0, w = warmup, n = steps, f = floor:
 *     CONSTANT 1
 *     STEP gamma^floor(t / every), not below f                                     (StepLR)
 *     COSINE f + (1 - f) (1 + cos(pi (t - w) / (n - w))) / 2                       (CosineAnnealingLR, T_max = n - w)
 *     ONE_CYCLE from 1/25 up to 1 in w steps (0: 0.3 n), down to 1/250,000; cosines  (OneCycleLR)
 *     INVERSE_SQRT sqrt(w / (t + 1)), 1 before w                                   (Vaswani et al. 2017)
 *     PLATEAU the factor that ct_plateau_next keeps                                (ReduceLROnPlateau)
 *     LINEAR from 1 at w to f at n
 * Times (t + 1) / w while t < w (ONE_CYCLE has its own ascent). */
typedef enum ct_schedule_kind {
    CT_CONSTANT = 0,
    CT_STEP = 1,
    CT_COSINE = 2,
    CT_ONE_CYCLE = 3,
    CT_INVERSE_SQRT = 4,
    CT_PLATEAU = 5,
    CT_LINEAR = 6
} ct_schedule_kind;
typedef struct ct_schedule {
    int32_t kind;
    int32_t patience; /* PLATEAU: epochs without progress that are let pass; 0: 10 */
    int64_t steps;    /* of the whole training */
    int64_t warmup;   /* steps of linear warm-up from 0 */
    int64_t every;    /* STEP: steps between drops */
    double gamma;     /* STEP, PLATEAU: factor; 0: 0.1 */
    double floor;     /* least factor */
} ct_schedule;
CT_API double ct_schedule_at(const ct_schedule *s, int64_t step,
                             double plateau); /* plateau: ct_plateau's factor, else 1 */
CT_API const char *ct_schedule_name(int32_t kind);
CT_API int32_t ct_schedule_of(const char *name);

/* PyTorch's ReduceLROnPlateau: an epoch is progress when its score, the lower the better, is below best (1 - 1e-4);
 * after more than `patience` epochs without, the factor is multiplied by gamma and counting begins anew. */
typedef struct ct_plateau { /* zeroed: before the first epoch */
    double factor;          /* 0 means 1 */
    double best;
    int64_t epochs, bad; /* seen; without progress */
} ct_plateau;
CT_API double ct_plateau_next(ct_plateau *p, const ct_schedule *s, double score); /* the new factor */

/* ---- the loop ---- */
typedef struct ct_epoch {
    int64_t epoch, steps;    /* steps: so far in all */
    double loss, validation; /* mean losses; NaN where there is no validation */
    double accuracy;         /* of validation, for outputs [N,C] with labels; NaN else */
    double seconds, lr, norm;
    int32_t best; /* 1: the best so far */
    int32_t reserved;
} ct_epoch;
typedef struct ct_fit_options {
    int64_t epochs;   /* 0: 1 */
    int64_t batch;    /* 0: 64 */
    uint64_t seed;    /* of the shuffle */
    int32_t threads;  /* that read ahead; 0: one, -1: none */
    int32_t patience; /* > 0: stop after so many epochs without a better validation loss */
    int32_t
        keep_last; /* 1: the last weights stay; 0: the best by validation loss (else training loss) come back */
    int32_t reserved;
    ct_train train;
    ct_schedule schedule;                               /* steps 0: epochs times batches */
    const ct_source *validation;                        /* may be NULL */
    int (*callback)(void *user, const ct_epoch *epoch); /* after each epoch; non-zero stops */
    void *user;
} ct_fit_options;
/* Train all parameters that `loss` depends on. With train.average set, validation, the best and the last weights are
 * those of the average, under the parameters' own names. `logits` may be none ({0}); with validation labels in the
 * source's last field its accuracy is measured. */
CT_API ct_status ct_fit(ct_t loss, ct_t logits, const ct_source *data, const ct_fit_options *o,
                        ct_epoch *last, ct_err *e);

/* Mean of `value` (a mean over rows, such as a loss) over a source, in evaluation mode. */
CT_API ct_status ct_evaluate(ct_t value, const ct_source *data, int64_t batch, double *mean, ct_err *e);

/* ---- presets ---- */
CT_API int32_t ct_preset_count(void);
CT_API const char *ct_preset_name(int32_t i);
CT_API const char *ct_preset_text(const char *name); /* NULL: no such preset */

#ifdef __cplusplus
}
#endif
#endif
