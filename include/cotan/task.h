/* cotan/task.h: the jobs of the command, as calls: what `cotan train image` does, a program does with one
 * struct. Progress, logs and results go through callbacks; nothing is printed. */
#ifndef COTAN_TASK_H
#define COTAN_TASK_H

#include "cotan.h"
#include "cotan/data.h"
#include "cotan/model.h"
#include "cotan/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- train image ---- */

/* Told while training. kind says which fields are set. Text lines are for people. */
typedef enum ct_event_kind {
    CT_EVENT_FACT = 1,  /* key, text: "data", "60,000 pictures 28x28 grey, 10 classes" */
    CT_EVENT_STEP = 2,  /* step, steps, epoch, epochs, loss, rate (samples/s), eta (seconds) */
    CT_EVENT_EPOCH = 3, /* row */
    CT_EVENT_NOTE = 4   /* text: resumed at ..., a checkpoint was damaged ... */
} ct_event_kind;
typedef struct ct_event {
    int32_t kind, epoch, epochs, reserved;
    int64_t step, steps;
    double loss, rate, eta;
    const char *key, *text;
    const ct_epoch *row;
} ct_event;

typedef struct ct_image_train {
    const char *data;      /* folder of idx files */
    const char *output;    /* m.safetensors; m.run/ stands beside it */
    const char *model;     /* a preset; NULL: "cnn" */
    const char *net;       /* or a file of net text */
    const char *validate;  /* folder of the validation part; NULL: a tenth by hash */
    const char *init;      /* weights to begin with */
    const char *transform; /* NULL: normalize by the training part's mean and std */
    const char *optimiser; /* NULL: "adam" */
    const char *schedule;  /* NULL: "one_cycle" */
    const char *command;   /* of the user, for config.json; may be NULL */
    const ct_setting *set; /* params of the net */
    int32_t n_set;
    int32_t threads;              /* 0: cores allowed */
    int64_t epochs, batch, limit; /* 0: 10, 64, all records */
    uint64_t seed;
    double lr;         /* 0: the optimiser's default */
    double time_limit; /* seconds from the call to the written model; 0: none */
    double weight_decay, clip_norm, average, smoothing;
    int32_t patience; /* early stop; 0: none */
    int32_t resume, force, dry_run;
    int32_t checkpoint_every; /* steps; 0: 200 */
    int32_t debug, trap;
    int32_t strict; /* 1: a damaged checkpoint or weights that are not finite are an error, not a note */
    ct_files files; /* the seam */
    ct_allocator allocator;
    volatile int32_t *stop; /* set by a signal handler: the step ends, state is saved, CT_ECANCEL */
    void (*tell)(void *user, const ct_event *event); /* may be NULL */
    void *user;
} ct_image_train;
typedef struct ct_train_result {
    char model[4096], run[4096]; /* paths */
    int64_t epochs, steps, best_epoch;
    double seconds;
    ct_score validation;              /* of the best epoch */
    int32_t resumed, finished_before; /* 1: nothing was left to do */
} ct_train_result;
CT_API ct_status ct_train_image(const ct_image_train *o, ct_train_result *out, ct_err *e);
/* Names of all options that enter the recipe, in order: for --resume's comparison and --config. */

/* ---- evaluate, predict ---- */
typedef struct ct_evaluation {
    ct_score score;
    char part[64]; /* "test", "validation", "all": which part was read */
    int64_t classes;
    int64_t *confusion; /* [classes, classes]; free with ct_evaluation_free */
} ct_evaluation;
/* `part`: NULL: the test part; or "train", "validation", "all". */
CT_API ct_status ct_evaluate_image(ct_model *m, const char *data, const char *part, int64_t limit,
                                   ct_evaluation *out, ct_err *e);
CT_API void ct_evaluation_free(ct_evaluation *v);
typedef struct ct_prediction {
    const char *path;
    int64_t index;             /* record in the file */
    int64_t label;             /* index of the most probable class */
    const char *name;          /* its label */
    const double *probability; /* [classes] */
    int64_t classes;
} ct_prediction;
/* Every record of an idx file of pictures; `each` may stop the walk by a non-zero result (CT_ECANCEL). */
CT_API ct_status ct_predict_image(ct_model *m, const char *path,
                                  int (*each)(void *user, const ct_prediction *p), void *user, ct_err *e);

#ifdef __cplusplus
}
#endif
#endif
