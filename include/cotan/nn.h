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
        average; /* > 0: decay of an exponential moving average of the weights (EMA), kept as moments "ema.NAME" */
    const ct_group *group;
    int64_t batch; /* the batch that fixes the shards; 0: each run's own */
    int64_t shard; /* rows of a shard; 0: by the core's rule */
    int32_t one_thread;
    int32_t
        watch; /* 1: the gradient's norm is taken though nothing is clipped: it is told, and a gradient that is
                      not finite changes nothing (a loss that is not never does) */
} ct_train;

/* The plan of a training step: outputs 0 loss, 1 global gradient norm (NaN when not asked for by clip_norm or watch),
 * then `more`; effects: the updates. The learning rate is the session's scalar "lr". Parameters that were trained before
 * go on with the moments they have. Tables looked up with ct_embed.sparse = 1 alone are updated by the rows used, by
 * PyTorch's SparseAdam (CT_ADAM), Adagrad or plain SGD; other optimisers and decay are refused for them. */
CT_API ct_status ct_compile_train(ct_t loss, const ct_t *more, int32_t n_more, const ct_train *t,
                                  ct_plan **out, ct_err *e);

/* A training plan with its session. Inputs are matched to the batch's fields by name. */
typedef struct ct_trainer ct_trainer;
CT_API ct_status ct_trainer_new(ct_t loss, const ct_t *more, int32_t n_more, const ct_train *t,
                                const ct_source *like, ct_trainer **out, ct_err *e);
CT_API void ct_trainer_free(ct_trainer *t);
CT_API ct_session *ct_trainer_session(ct_trainer *t);
CT_API ct_plan *ct_trainer_plan(ct_trainer *t);
/* One step. *loss (may be NULL) is the batch's mean; more[i] gets extra output i (entries or `more` may be
 * NULL). A non-finite loss or norm changes nothing and is CT_ENONFINITE, with the op that made the number. */
CT_API ct_status ct_trainer_step(ct_trainer *t, const ct_batch *b, double lr, double *loss, void *const *more,
                                 ct_err *e);
CT_API double ct_trainer_norm(const ct_trainer *t); /* of the last step; NaN when not computed */

/* ---- schedules: a factor of the learning rate by step ---- */
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
    int32_t patience; /* PLATEAU: epochs without progress */
    int64_t steps;    /* of the whole training */
    int64_t warmup;   /* steps of linear warm-up from 0; ONE_CYCLE: 0 means 0.3 of steps */
    int64_t every;    /* STEP: steps between drops */
    double gamma;     /* STEP, PLATEAU: factor; 0: 0.1 */
    double floor;     /* least factor */
} ct_schedule;
CT_API double ct_schedule_at(const ct_schedule *s, int64_t step,
                             double plateau); /* plateau: product of its drops so far, else 1 */
CT_API const char *ct_schedule_name(int32_t kind);
CT_API int32_t ct_schedule_of(const char *name);

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
    int64_t epochs;    /* 0: 1 */
    int64_t batch;     /* 0: 64 */
    uint64_t seed;     /* of the shuffle */
    int32_t threads;   /* that read ahead; 0: one, -1: none */
    int32_t patience;  /* > 0: stop after so many epochs without a better validation loss */
    int32_t keep_last; /* 1: the last weights stay; 0: the best by validation loss come back */
    int32_t reserved;
    ct_train train;
    ct_schedule schedule;                               /* steps 0: epochs times batches */
    const ct_source *validation;                        /* may be NULL */
    int (*callback)(void *user, const ct_epoch *epoch); /* after each epoch; non-zero stops */
    void *user;
} ct_fit_options;
/* Train all parameters that `loss` depends on. `logits` may be none ({0}); with validation labels in the
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
