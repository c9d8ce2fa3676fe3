/* cotan/nn.h: training. Optimisers, schedules, a training plan, and the loop on top of them.
 *
 * The common case is one call, over arrays in memory or over a source of records:
 *     ct_fit_rows(loss, (const void *[]){x, y}, rows, &(ct_fit_options){.epochs = 10, .train = {.lr = 1e-3}}, &last);
 *     ct_fit(loss, logits, &data, &options, &last, &e);
 * which is the following, with validation and the best weights kept (src/nn/fit.c, there to be read):
 *     ct_trainer_new(loss, NULL, 0, &train, &data, &trainer, &e);         // gradient, updates: one plan
 *     ct_loader_new(NULL, &data, (ct_loader_options){.shuffle = 1}, &loader, &e);
 *     while (!ct_next(loader, &batch, &e) && batch.rows) ct_trainer_step(trainer, &batch, lr, &mean, NULL, &e);
 *
 * Calls take the context of `loss`; one thread at a time may be in calls of one context. */
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
    CT_ADAM = 0,     /* lr 1e-3 */
    CT_ADAMW = 1,    /* lr 1e-3, weight decay 0.01, decoupled */
    CT_SGD = 2,      /* lr 1e-2 */
    CT_NADAM = 3,    /* lr 2e-3 */
    CT_RMSPROP = 4,  /* lr 1e-2 */
    CT_ADAGRAD = 5,  /* lr 1e-2 */
    CT_ADADELTA = 6, /* lr 1 */
    CT_LION = 7      /* lr 1e-4, weight decay decoupled */
} ct_optimiser;
/* Or-ed to an optimiser: its weight decay is w *= 1 - lr * weight_decay, apart from the gradient. */
#define CT_DECOUPLED 256
/* "adam" ... of the enum, static; NULL: no such number. And back; -1: no such name. */
CT_API const char *ct_optimiser_name(int32_t optimiser);
CT_API int32_t ct_optimiser_of(const char *name);
CT_API double ct_optimiser_lr(int32_t optimiser); /* its default learning rate; NaN: no such number */

/* A group of parameters with numbers of its own: those whose full names begin with `prefix` (whole, or up to a '.')
 * and end with `suffix`; NULL matches all. A parameter is in the first group that matches it. */
typedef struct ct_group {
    const char *prefix, *suffix;
    double lr_scale;     /* times the learning rate; 0: 1 */
    double weight_decay; /* 0: the common one; CT_ZERO: none */
} ct_group;

/* How to train. Zero means the default. */
typedef struct ct_train {
    int32_t optimiser;   /* a ct_optimiser */
    int32_t nesterov;    /* 1: SGD with Nesterov's momentum */
    double lr;           /* 0: the optimiser's default */
    double weight_decay; /* decoupled in AdamW (0: 0.01) and Lion; elsewhere added to the gradient (L2) */
    /* > 0: gradients are scaled so that their global norm is at most this. INFINITY: the norm is taken and told, nothing
     * is scaled; with either, a gradient that is not finite changes nothing (a loss that is not never does). */
    double clip_norm;
    double momentum;     /* SGD, RMSprop */
    double beta1, beta2; /* Adam and kin; 0: 0.9 and 0.999 (Lion 0.9 and 0.99) */
    double eps;          /* 0: the optimiser's default */
    /* The rule's own number: RMSprop's smoothing, 0: 0.99; Adadelta's rho, 0: 0.9; SGD's dampening; Adagrad's
     * lr_decay; NAdam's momentum_decay, 0: 0.004. */
    double alpha;
    double l1;         /* l1 * sign(w) is added to the gradient */
    double clip_value; /* > 0: each element of a gradient is cut to +-this, before the norm */
    /* > 0: decay of a moving average of the weights (EMA), kept as moments "ema.NAME"; after the first step it is the
     * weights themselves (PyTorch's AveragedModel). */
    double average;
    const ct_group *group; /* [groups] */
    int32_t groups;
    int32_t centered;   /* 1: RMSprop divides by the deviation */
    int64_t batch;      /* rows that fix the shards; 0: each run's own */
    int32_t shard;      /* rows of a shard; 0: by the core's rule */
    int32_t one_thread; /* 1: on the caller's thread whatever the size */
} ct_train;

/* The plan of a training step. Outputs: 0 the loss, 1 the global norm of the gradient (NaN without clip_norm), then
 * the n_more tensors of `more`; effects: the updates of all parameters that the loss depends on and that are not
 * frozen. The learning rate is the session's scalar "lr". The loss is a scalar. *out is freed with ct_plan_free.
 * Parameters that were trained before go on with the moments they have. Tables looked up with ct_embed.sparse = 1 alone
 * are updated by the rows used, by PyTorch's SparseAdam (CT_ADAM), Adagrad or plain SGD; other optimisers and decay are
 * refused for them. CT_EUSAGE: no such loss or option; CT_ELIMIT. */
CT_API ct_status ct_compile_train(ct_t loss, const ct_t *more, int32_t n_more, const ct_train *t,
                                  ct_plan **out, ct_err *e);

/* torch.nn.init.calculate_gain: what an initialiser multiplies by for the activation that follows: "tanh" 5/3, "relu"
 * sqrt 2, "leaky_relu" sqrt(2 / (1 + slope^2)) (slope 0: 0.01), "selu" 3/4, others 1. ct_init_for chooses by it: Kaiming
 * (normal, fan in) for relu and its kin, with selu's own gain of 1, else Xavier (uniform) with the gain. */
CT_API double ct_gain(const char *activation, double slope);
CT_API ct_init ct_init_for(const char *activation, double slope);

/* A training plan with its session. The plan's inputs are matched to the fields of `like` by name; types and shapes
 * must be equal (CT_EUSAGE). At most 8 more outputs. */
typedef struct ct_trainer ct_trainer;
CT_API ct_status ct_trainer_new(ct_t loss, const ct_t *more, int32_t n_more, const ct_train *t,
                                const ct_source *like, ct_trainer **out, ct_err *e);
CT_API void ct_trainer_free(ct_trainer *t);           /* NULL is fine */
CT_API ct_session *ct_trainer_session(ct_trainer *t); /* the trainer's own */
CT_API ct_plan *ct_trainer_plan(ct_trainer *t);       /* the trainer's own */
/* One step with learning rate lr (> 0). *loss (may be NULL) is the batch's mean; more[i] gets extra output i (`more`
 * and its entries may be NULL). A loss or norm that is not finite is CT_ENONFINITE, names the op it
 * came from, and changes nothing. */
CT_API ct_status ct_trainer_step(ct_trainer *t, const ct_batch *b, double lr, double *loss, void *const *more,
                                 ct_err *e);
/* The global norm of the last step's gradient before clipping; NaN without clip_norm. */
CT_API double ct_trainer_norm(const ct_trainer *t);

/* ---- schedules: a factor of the learning rate by step ---- */

/* With t the step from 0, w = warmup, n = steps, f = floor; all times (t + 1) / w while t < w, but ONE_CYCLE, which has
 * its own ascent. */
typedef enum ct_schedule_kind {
    CT_CONSTANT = 0,  /* 1 */
    CT_STEP = 1,      /* gamma^floor(t / every), not below f (StepLR) */
    CT_COSINE = 2,    /* f + (1 - f) (1 + cos(pi (t - w) / (n - w))) / 2 (CosineAnnealingLR, T_max = n - w) */
    CT_ONE_CYCLE = 3, /* cosines from 1/25 up to 1 in w steps (0: 0.3 n), down to 4e-6 (OneCycleLR) */
    CT_INVERSE_SQRT = 4, /* sqrt(w / (t + 1)) after the warm-up (Vaswani et al. 2017) */
    CT_PLATEAU = 5,      /* the factor that ct_plateau_next keeps (ReduceLROnPlateau) */
    CT_LINEAR = 6        /* a line from 1 at w to f at n */
} ct_schedule_kind;
/* Zero means the default. */
typedef struct ct_schedule {
    int32_t kind;     /* a ct_schedule_kind */
    int32_t patience; /* PLATEAU: epochs without progress that are let pass; 0: 10 */
    int64_t steps;    /* of the whole training */
    int64_t warmup;   /* steps of linear warm-up from 0; ONE_CYCLE: 0 means 0.3 of steps */
    int64_t every;    /* STEP: steps between drops */
    double gamma;     /* STEP, PLATEAU: the factor; 0: 0.1 */
    double floor;     /* the least factor */
    int64_t reserved[2];
} ct_schedule;
/* The factor at a step, from 0. `plateau`: the product of PLATEAU's drops so far, else 1. A function of its
 * arguments alone, so that a resumed training has the same rates. Any thread. */
CT_API double ct_schedule_at(const ct_schedule *s, int64_t step, double plateau);
/* PyTorch's ReduceLROnPlateau: an epoch is progress when its score, the lower the better, is below best (1 - 1e-4);
 * after more than `patience` epochs without, the factor is multiplied by gamma and counting begins anew. */
typedef struct ct_plateau { /* zeroed: before the first epoch */
    double factor;          /* 0 means 1 */
    double best;
    int64_t epochs, bad; /* seen; without progress */
} ct_plateau;
CT_API double ct_plateau_next(ct_plateau *p, const ct_schedule *s, double score); /* the new factor */
CT_API const char *ct_schedule_name(int32_t kind); /* "constant" ..., static; NULL: no such number */
CT_API int32_t ct_schedule_of(const char *name);   /* -1: no such name */

/* ---- the loop ---- */

/* What is known after an epoch. */
typedef struct ct_epoch {
    int64_t epoch;     /* from 1 */
    int64_t steps;     /* so far in all */
    double loss;       /* mean over the epoch's samples, while it trained */
    double validation; /* mean loss of the validation source; NaN without one */
    double accuracy;   /* of validation, for logits [N,C] with labels; NaN else */
    double seconds;    /* of this epoch, validation included */
    double lr, norm;   /* of the last step; norm as ct_trainer_norm */
    int32_t best;      /* 1: the best so far: of ct_fit by validation loss, without validation by loss */
    int32_t least;     /* 1: that loss is the least so far */
    /* Training records scored as the validation source is, without dropout, random transforms and label smoothing, so
     * that they can stand beside it; NaN: not measured. ct_fit does not. */
    double train, train_accuracy;
    double validation_error; /* standard error of .validation; NaN, and of ct_fit 0: not known */
} ct_epoch;

/* Zero means the default. */
typedef struct ct_fit_options {
    int64_t epochs;    /* 0: 1 */
    int64_t batch;     /* samples a step; 0: 64 */
    uint64_t seed;     /* of the shuffle */
    int32_t threads;   /* that read ahead; 0: one; -1: none */
    int32_t patience;  /* > 0: stop after so many epochs without a better one */
    int32_t keep_last; /* 1: the last weights stay; 0: those of the best epoch come back, averages if kept */
    int32_t hop;    /* ct_fit_rows: elements from one row to the next, 1: all windows of a series; 0: a row */
    ct_train train; /* .batch 0: as above */
    ct_schedule schedule;                               /* .steps 0: epochs times batches */
    const ct_source *validation;                        /* NULL: none. It must have the fields of the data */
    int (*callback)(void *user, const ct_epoch *epoch); /* after each epoch; non-zero stops. May be NULL */
    void *user;
} ct_fit_options;
/* Train all parameters that `loss` depends on. `logits` may be none ({0}); with logits [N,C] and labels (i64) as the
 * last field of the validation source its accuracy is measured. *last (may be NULL) is the last epoch. Errors are
 * those of ct_trainer_new, ct_trainer_step and the source. */
CT_API ct_status ct_fit(ct_t loss, ct_t logits, const ct_source *data, const ct_fit_options *o,
                        ct_epoch *last, ct_err *e);

/* ct_fit over arrays: data[i] is [rows, ...], contiguous, of the loss's input i in order of creation, of its type. `o`
 * and `last` may be NULL. The error is the context's (ct_error). */
CT_API ct_status ct_fit_rows(ct_t loss, const void *const *data, int64_t rows, const ct_fit_options *o,
                             ct_epoch *last);

/* The mean of `value`, a scalar that is a mean over rows such as a loss, over all records of a source, in evaluation
 * mode. `batch` rows at a time, 0: 64. */
CT_API ct_status ct_evaluate(ct_t value, const ct_source *data, int64_t batch, double *mean, ct_err *e);

/* ---- densities as nodes: losses by maximum likelihood, variational terms ----
 *
 * Elementwise, shapes broadcast, every argument may be learnt; parameters are those of cotan/statistics.h (deviations,
 * not variances) and must be in their ranges, as softplus or exp make them. Names follow "log_density" for numbers and
 * "log_mass" for counts. Poison as other builders. */
CT_API ct_t ct_normal_log_density(ct_t x, ct_t mean, ct_t deviation);
CT_API ct_t ct_lognormal_log_density(ct_t x, ct_t mean, ct_t deviation); /* of log x */
CT_API ct_t ct_laplace_log_density(ct_t x, ct_t location, ct_t scale);
CT_API ct_t ct_cauchy_log_density(ct_t x, ct_t location, ct_t scale);
CT_API ct_t ct_student_log_density(ct_t x, double df, ct_t location, ct_t scale);
CT_API ct_t ct_exponential_log_density(ct_t x, ct_t rate);
CT_API ct_t ct_gamma_log_density(ct_t x, double shape, ct_t rate);
CT_API ct_t ct_bernoulli_log_mass(ct_t x, ct_t logit); /* x in 0..1 */
/* Without - log(count!), which nothing learnt moves. */
CT_API ct_t ct_poisson_log_mass(ct_t count, ct_t log_rate);
CT_API ct_t ct_geometric_log_mass(ct_t failures, ct_t logit);
/* label [..] i64 or i32, logits [..,C] -> [..] */
CT_API ct_t ct_categorical_log_mass(ct_t label, ct_t logits);
CT_API ct_t ct_normal_entropy(ct_t deviation);
CT_API ct_t ct_bernoulli_entropy(ct_t logit);
CT_API ct_t ct_categorical_entropy(ct_t logits); /* [..,C] -> [..] */
/* E_p log(p / q). */
CT_API ct_t ct_normal_kl(ct_t mean_p, ct_t deviation_p, ct_t mean_q, ct_t deviation_q);
CT_API ct_t ct_laplace_kl(ct_t location_p, ct_t scale_p, ct_t location_q, ct_t scale_q);
CT_API ct_t ct_exponential_kl(ct_t rate_p, ct_t rate_q);
CT_API ct_t ct_bernoulli_kl(ct_t logit_p, ct_t logit_q);
CT_API ct_t ct_categorical_kl(ct_t logits_p, ct_t logits_q); /* [..,C] -> [..] */

/* ---- presets: nets that the library carries as text (src/nn/presets/) ---- */

CT_API int32_t ct_preset_count(void);
CT_API const char *ct_preset_name(int32_t i);        /* static; NULL: no such number */
CT_API const char *ct_preset_text(const char *name); /* static; NULL: no such preset */

#ifdef __cplusplus
}
#endif
#endif
