/* cotan/task.h: the jobs of the command, as calls: what `cotan train image` does, a program does with one
 * struct. Progress, logs and results go through callbacks; nothing is printed. */
#ifndef COTAN_TASK_H
#define COTAN_TASK_H

#include "cotan.h"
#include "cotan/data.h"
#include "cotan/doctor.h"
#include "cotan/maths.h"
#include "cotan/model.h"
#include "cotan/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- train image ---- */

/* What a training tells: `kind` says which fields are set. Texts are for people. */
typedef enum ct_event_kind {
    CT_EVENT_FACT = 1,    /* key, text: "data", "60,000 pictures 28x28 grey, 10 classes" */
    CT_EVENT_STEP = 2,    /* step, steps, epoch, epochs, loss, rate, eta */
    CT_EVENT_EPOCH = 3,   /* row, and the same but loss, rate, eta */
    CT_EVENT_NOTE = 4,    /* text: resumed at ..., a checkpoint was damaged ... */
    CT_EVENT_FINDING = 5, /* of the doctor: finding; key, its fault; text: one line with the advice */
    /* What takes a while beside the steps. key: "reading", "trying rates", ...; text: what, or ""; step of steps done, 0 of
     * 0 where nobody counts. Any number of times */
    CT_EVENT_BUSY = 6
} ct_event_kind;
typedef struct ct_event {
    int32_t kind;          /* a ct_event_kind */
    int32_t epoch, epochs; /* from 1; all */
    int32_t reserved;
    int64_t step, steps; /* done; all */
    double loss;         /* of this step's batch */
    double rate;         /* samples per second since this call began its steps */
    double eta;          /* seconds until the last step, at that rate */
    const char *key, *text;
    const ct_epoch *row;
    const ct_finding *finding;
} ct_event;

/* Options of a training. Zero means the default that the line says. Those marked R are the recipe: they decide
 * the model's bytes, stand in it, and must be equal where a run is resumed. */
typedef struct ct_image_train {
    /* A folder of pictures, classes below; of idx, CIFAR or .npy files; or a list, .csv or .jsonl (ct_images_open,
     * ct_idx_load). May be NULL with `resume`: as the run has it. */
    const char *data;
    const char *output; /* m.safetensors; the run folder m.run/ stands beside it */
    const char *model;  /* R: a preset; NULL: chosen by the pictures' size and number, see docs/pictures.md */
    const char *net;    /* R: or a file of net text */
    const char *net_text;  /* R: or the text itself; `model` is its name then */
    const char *validate;  /* R by its data: folder of the validation part; NULL: a tenth by hash */
    const char *init;      /* R by its bytes: a safetensors file of weights to begin with */
    const char *transform; /* R: NULL: chosen by the data, see docs/pictures.md */
    const char *optimiser; /* R: NULL: "adamw" of lr 0.002 and weight decay 0.05 */
    const char *schedule;  /* R: NULL: "one_cycle" */
    /* R: at a loss or gradient that is not finite: NULL: "stop"; or "skip" the step, or "rollback" to the end of the
     * last epoch at half the learning rate; ten times at most */
    const char *nonfinite;
    const char *command;   /* the words that repeat the run, for config.json; may be NULL */
    const ct_setting *set; /* R: other values for params of the net */
    int32_t n_set;
    int32_t threads; /* 0: the cores allowed to the process */
    /* R: 0: epochs enough for 200,000 pictures, 10 to 60; 64, halved only where `memory` is too little; all records */
    int64_t epochs, batch, limit;
    int64_t steps;                  /* R: in all; 0: epochs times batches, or what time_limit allows */
    int64_t stop_at;                /* R: end after this step; 0: none */
    uint64_t seed;                  /* R: of every random choice */
    double lr;                      /* R: 0: the optimiser's default */
    double time_limit;              /* seconds from the call to the written model; 0: none */
    double weight_decay, clip_norm; /* R: 0: as the optimiser's line says, else none. CT_ZERO: none, meant */
    /* R: of a moving average of the weights, 0: over a thirtieth of the steps; label smoothing, 0: 0.1. CT_ZERO: none */
    double average, smoothing;
    int32_t patience;   /* R: early stop after so many epochs; 0: half of them, at least 10; -1: none */
    int32_t seed_given; /* 1: a seed of 0 is meant */
    int32_t resume, force, dry_run; /* 1: go on; begin anew; tell the facts and write nothing */
    int32_t checkpoint_every;       /* steps; 0: 200 */
    int32_t debug, trap;            /* of ct_options */
    /* 1: a damaged checkpoint, weights that are not finite, a broken picture are an error, not a note */
    int32_t strict;
    int32_t follow_links,
        allow_broken;       /* of ct_images_options; part of the recipe, a resume takes them from the run */
    int32_t background;     /* R: of ct_picture_options; 0: white */
    ct_files files;         /* the seam */
    ct_allocator allocator; /* the hook */
    void (*log)(void *user, const char *line);       /* of ct_options, with `user`; NULL: silent */
    volatile int32_t *stop;                          /* set by a signal handler: see below; may be NULL */
    void (*tell)(void *user, const ct_event *event); /* on the caller's thread; may be NULL */
    void *user;
    /* A page of what the training came to, written just before the model: NULL: report.html in the run folder; "none";
     * or a path. */
    const char *report;
    const char *tensorboard; /* folder for an event file that TensorBoard reads; NULL: none */
    /* R: parameters that stay as they are, for transfer with `init`: patterns, separated by commas, of their names or of
     * names up to a '.', such as "conv1, layer*"; NULL: none. A last layer of another size than in `init` begins anew. */
    const char *freeze;
    /* Bytes that the process may use. 64 MiB of them are for what the allocator hook does not see (code, kernels,
     * stacks); the hook is refused more than the rest, CT_ELIMIT. At least 128 MiB; 0: no bound. */
    int64_t memory;
    double (*clock)(void *user); /* seconds, never backwards; on the caller's thread. NULL: the system's */
    void *clock_user;
    int32_t class_weights; /* R: 1: the loss of a class times mean count / its count */
    int32_t lr_auto; /* 1: the learning rate by a range test (Smith 2015), `lr` is 0; its curve: lr.jsonl */
    int32_t doctor;  /* -1: no doctor (cotan/doctor.h). It changes no bit of the model */
    int32_t reserved_2;
    /* R: the classes' names, one a line, for idx files, which have numbers; NULL: the numbers. More names than the
     * data has classes are classes without a picture. */
    const char *labels;
    /* R: of sgd and rmsprop; 0: 0.9 of sgd, none of rmsprop; CT_ZERO: none, meant */
    double momentum;
    /* R: steps over which the learning rate rises at the begin; 0: none, of one_cycle 0.3 of all */
    int64_t warmup;
    int64_t reserved[5];
} ct_image_train;
typedef struct ct_train_result {
    char model[4096], run[4096], data[4096]; /* paths */
    int64_t epochs, steps;                   /* done in all, those before a resume included */
    int64_t best_epoch; /* from 1: the last whose validation loss is within its standard error of the least */
    double seconds;     /* of this call */
    ct_score validation;            /* of the best epoch */
    int32_t resumed;                /* 1: went on from a checkpoint */
    int32_t finished_before;        /* 1: nothing was left to do */
    char report[4200];              /* its path, or "" */
    int32_t findings, reserved_too; /* of the doctor */
    ct_finding finding[CT_FAULTS];
    int64_t measurements;  /* that it made, those before a resume included */
    double doctor_seconds; /* of this call */
    int64_t reserved[16];
} ct_train_result;
/* Train a net and write the model. *out is set on success. CT_EUSAGE for a wrong option, an output that exists
 * (without force or resume) and a resume with other options; CT_EDATA for bad files; CT_EIO; CT_ELIMIT;
 * CT_ENONFINITE when the numbers explode; CT_ECANCEL when `*stop` became non-zero: the step was ended and the
 * state saved. One call at a time for an output; another process is kept out by a lock (CT_EIO). */
CT_API ct_status ct_train_image(const ct_image_train *o, ct_train_result *out, ct_err *e);

/* ---- evaluate, predict ---- */

/* Zero means the default. */
typedef struct ct_evaluate_options {
    const char *part; /* "train", "validation", "test", "all"; NULL: see below */
    int64_t limit;    /* the first records; 0: all */
    int64_t top;      /* the k of top_k; 0: 5 */
    double coverage;  /* of prediction sets, between 0 and 1; 0: no sets */
    /* What is passed over, by name: pictures that cannot be read (more than 1 % are CT_EDATA, unless they are allowed), links to nothing; at the end, by the calling thread; may be NULL. */
    void (*tell)(void *user, const char *line);
    void *user;
    int32_t strict;       /* 1: the first picture that cannot be read is CT_EDATA */
    int32_t allow_broken; /* 1: any share of the pictures may be broken, as where training allowed it */
    int64_t reserved;
} ct_evaluate_options;
typedef struct ct_evaluation {
    ct_score score;           /* of the net as it is */
    char part[64];            /* "train", "validation", "test" or "all": which records were read */
    char note[192];           /* a sentence where the choice needs one, or "" */
    int64_t classes;          /* of the model */
    int64_t *confusion;       /* [classes, classes]: truth, prediction; ct_evaluation_free */
    ct_class_score *each;     /* [classes]; freed likewise */
    int64_t top;              /* k */
    double top_k;             /* the label is among the k most probable classes */
    double coverage;          /* as asked for; 0: none */
    int64_t calibrated_on;    /* records of the validation part; 0: the model has no calibration */
    ct_calibrated calibrated; /* of the probabilities that ct_predict_image gives, and of the sets */
    int64_t passed_over;      /* lines that `tell` was given */
    int64_t reserved[7];
} ct_evaluation;
/* Score a model on a folder. `part` NULL: the folder's test part; where it has none, on the data the model was
 * trained on the tenth that training kept away, on other data all of it. `limit`: the first records; 0: all.
 * CT_EUSAGE for another part, CT_EDATA where data and model do not fit. The model may be used by other threads.
 * Micro averages of precision, recall and F1 are the accuracy, for every picture has one label and one prediction.
 *
 * Sets of `coverage` 0.9 hold the right label of nine pictures in ten, if these are of the kind of the validation part, on
 * which training measured how (ct_conformal_scores). The validation part itself would only give back what it was asked for: it
 * is refused (CT_EUSAGE), as is a model without a calibration. */
CT_API ct_status ct_evaluate_image(ct_model *m, const char *data, const char *part, int64_t limit,
                                   ct_evaluation *out, ct_err *e);
CT_API ct_status ct_evaluate_image_with(ct_model *m, const char *data, const ct_evaluate_options *o,
                                        ct_evaluation *out, ct_err *e);
CT_API void ct_evaluation_free(ct_evaluation *v);
/* Put the figures of an evaluation of the test part into report.html of the run that stands beside the model file
 * `model` (m.run/ for m.safetensors), in place of those of an earlier one. report: the page's path; "" where there is
 * no such page, or another part was evaluated. CT_EIO where it cannot be written. */
CT_API ct_status ct_report_add_test(ct_model *m, const char *model, const ct_evaluation *v, char report[4200],
                                    ct_err *e);

/* What training measured on its validation part. The temperature (ct_temperature_fit) divides the logits wherever
 * probabilities are shown; which class is named does not change. 1 of a model without a calibration. */
CT_API double ct_image_temperature(const ct_model *m);
/* The least probability of a class in a set of that coverage (0: all classes, so few records were there), and how many records
 * calibrated it (NULL: not wanted). CT_EUSAGE for another coverage than between 0 and 1, or no calibration. */
CT_API ct_status ct_image_threshold(const ct_model *m, double coverage, double *threshold, int64_t *records,
                                    ct_err *e);

/* Training and validation beside each other, from a run's metrics.jsonl: is there room, or too much? Both losses are of the same
 * weights and scored alike (ct_epoch's .train): dropout, random transforms and label smoothing are in neither. */
enum { CT_GAP_UNKNOWN = 0, CT_GAP_FITS = 1, CT_GAP_UNDERFIT = 2, CT_GAP_OVERFIT = 3 };
typedef struct ct_gap {
    int32_t verdict; /* CT_GAP_...; UNKNOWN: fewer than 3 epochs, or nothing to compare */
    int32_t reserved;
    int64_t epochs;
    int64_t best_epoch;                 /* from 1 */
    int64_t overfit_from;               /* the first epoch from which it was worse to the end; 0: none */
    double train, validation;           /* losses at the best epoch */
    double last_train, last_validation; /* at the last */
    char text[320];                     /* a sentence or two for people */
    int64_t reserved_too[4];
} ct_gap;
/* The rule, for any rows. The best epoch is the last that is marked so; where none is, that of the least validation loss.
 * OVERFIT: validation loss ended 2 % or more above the best epoch's, while training loss fell on.
 * UNDERFIT: the last epoch is the best, validation loss fell by 2 % or more over the last quarter of the epochs, and training loss
 * is no lower than four fifths of it. */
CT_API void ct_gap_of(const ct_epoch *row, int64_t rows, ct_gap *out);
/* Of a run's folder, or of the model beside it. CT_EIO where there is none, CT_EDATA for a line that is wrong. */
CT_API ct_status ct_run_gap(const ct_files *f, const ct_allocator *a, const char *run, ct_gap *out,
                            ct_err *e);

typedef struct ct_prediction {
    const char *path; /* NULL where the error is of no picture: a pipe in a folder, a link to nothing */
    int64_t index;    /* record in an idx file, from 0; of picture files 0 */
    int64_t label;    /* index of the most probable class; -1: see error */
    const char *name; /* its label */
    const double *probability; /* [classes], valid during the call; at the model's temperature */
    int64_t classes;
    int32_t file; /* 1: path is a picture; 0: of many records */
    int32_t reserved;
    /* NULL, or why this picture is not predicted; then there is nothing above but path, index */
    const char *error;
    int64_t set;          /* with coverage: the set is so many of the most probable classes; else 0 */
    const float *feature; /* with a layer: its output [features], and label -1, no probabilities; else NULL */
    int64_t features;
    int64_t reserved_too[4];
} ct_prediction;
/* Every picture, in order: records of an idx file, a picture file, the picture files of a folder and of the folders in
 * it by their paths' bytes. A broken picture file is told with its error, the rest is predicted, and the end is
 * CT_EDATA. `each` may stop the walk by a non-zero result (CT_ECANCEL). The model may be used by other threads. */
CT_API ct_status ct_predict_image(ct_model *m, const char *path,
                                  int (*each)(void *user, const ct_prediction *p), void *user, ct_err *e);
CT_API ct_status ct_predict_images(ct_model *m, const char *const *path, int64_t n,
                                   int (*each)(void *user, const ct_prediction *p), void *user, ct_err *e);
/* Zero means the default. */
typedef struct ct_predict_options {
    const char
        *layer; /* its output instead of probabilities: a layer's name, or "" for what the last layer reads */
    double coverage; /* prediction sets, as of ct_evaluate_options; 0: none */
    int64_t reserved[6];
} ct_predict_options;
/* CT_EUSAGE also for a layer that the net has not; the text lists those that it has. With a layer nothing else may use the
 * model while the call begins: a plan is made. */
CT_API ct_status ct_predict_images_with(ct_model *m, const char *const *path, int64_t n,
                                        const ct_predict_options *o,
                                        int (*each)(void *user, const ct_prediction *p), void *user,
                                        ct_err *e);

/* The pictures of a folder that are most like a picture: the cosine of the angle between their features. */
typedef struct ct_neighbour {
    const char *path;
    int64_t index;          /* record, in an idx file */
    double similarity;      /* -1 to 1 */
    int32_t file, reserved; /* as of ct_prediction */
} ct_neighbour;
typedef struct ct_similar {
    const char *path;
    int64_t index;
    int32_t file, reserved;   /* as of ct_prediction */
    const char *error;        /* NULL, or why there is nothing below */
    const ct_neighbour *near; /* [count], the most similar first, of equals the first in the folder */
    int64_t count;
} ct_similar;
/* For each picture of path[0..n-1] the `top` (0: 5) nearest of `folder`, itself excepted where it lies there. `layer` NULL: what
 * the last layer reads. Broken pictures of the folder are told first, with their error, as those of `path`; then the end is
 * CT_EDATA. Memory: the features of the folder, 4 bytes a number. */
CT_API ct_status ct_similar_images(ct_model *m, const char *layer, const char *const *path, int64_t n,
                                   const char *folder, int64_t top,
                                   int (*each)(void *user, const ct_similar *s), void *user, ct_err *e);

/* ---- principal components of a file ---- */

/* What `cotan pca` does. The data: a CSV file (every column but the target a feature), an .npy array [N,D] (further axes
 * flattened), an idx file, told apart by content, or a folder of pictures (ct_images_open; those for its test left out,
 * their classes the target). With `output` it writes the model, and beside it m.run/ with
 * scores.csv, report.html (plots, no script, nothing from elsewhere) and config.json. */
typedef struct ct_pca_task {
    const char *data;
    const char *target;  /* CSV: a column that is no feature; its values colour the plot; NULL: none */
    const char *output;  /* m.safetensors; NULL: nothing is written */
    const char *command; /* the words that repeat it, for config.json; may be NULL */
    /* Pictures: the steps to numbers; NULL: one size up to 64 x 64 as it is, all else "resize 32x32". */
    const char *transform;
    int32_t follow_links, allow_broken; /* see ct_images_options */
    ct_pca_options pca;
    ct_csv_options csv;
    int64_t batch;       /* records at a time, with `incremental` and for scores; 0: 256 */
    int32_t incremental; /* 1: a batch at a time in memory, two passes over the file (three with pca.scale) */
    int32_t force;       /* 1: over an existing output */
    int32_t threads;     /* 0: the cores allowed */
    int32_t reserved;
    ct_files files;
    ct_allocator allocator;
    void (*tell)(void *user, const ct_event *event); /* facts and notes; may be NULL */
    void *user;
    int64_t more[8]; /* zero */
} ct_pca_task;
typedef struct ct_pca_result {
    ct_pca pca; /* ct_pca_result_free */
    int64_t records, features;
    double error; /* mean squared error of the records made again from their scores; NaN without output */
    char model[4096], report[4200], scores[4200]; /* paths, or "" */
    ct_arena names;
    const char *const *name; /* [features] of a CSV, else NULL */
    int64_t reserved[8];
} ct_pca_result;
/* CT_EUSAGE for a wrong option and an output that exists; CT_EDATA for a file that is wrong, naming the place; CT_EIO;
 * CT_ENONFINITE for NaN in an array. */
CT_API ct_status ct_pca_file(const ct_pca_task *o, ct_pca_result *out, ct_err *e);
CT_API void ct_pca_result_free(ct_pca_result *r);

/* A model that ct_pca_file wrote, as components to transform with; CT_EDATA for another model. ct_pca_free it. */
CT_API ct_status ct_pca_open(const ct_files *f, const ct_allocator *a, const char *path, ct_pca *out,
                             ct_err *e);
/* The scores of every record of a file, [components] at a time; a model of pictures wants a picture or a folder of them
 * and gives `path` of each (else that of the data). Columns of a CSV are found by the names that the model has; others
 * are left aside. `each` may stop the walk by a non-zero result (CT_ECANCEL). */
CT_API ct_status ct_pca_predict(const ct_options *o, const char *model, const char *data, ct_csv_options csv,
                                int (*each)(void *user, const char *path, int64_t record,
                                            const double *scores, int64_t components),
                                void *user, ct_err *e);

/* ---- is one model better than another? ---- */

/* Two runs (their folders, or the models beside them) on the records of the validation parts that both have. Accuracy,
 * where every record has a label and a prediction: McNemar's exact test; the loss: random exchanges within pairs, the
 * interval by Student's t. */
typedef struct ct_comparison {
    char metric[16];      /* "accuracy" or "loss" */
    char test[32];        /* "mcnemar" or "paired permutation" */
    double first, second; /* the metric of each, on the common records */
    double difference;    /* second - first */
    double low, high;     /* its 95 % interval */
    double p_value;
    int64_t pairs;      /* common records */
    int64_t records[2]; /* of each run */
    int32_t better;     /* 1 or 2: which one, where p_value < 0.05; else 0 */
    int32_t reserved;
    int64_t more[4]; /* zero */
} ct_comparison;
/* `metric` NULL: accuracy where it can be had. CT_EDATA where they share no record or its labels differ. */
CT_API ct_status ct_compare_runs(const ct_files *f, const ct_allocator *a, const char *first,
                                 const char *second, const char *metric, ct_comparison *out, ct_err *e);

/* ---- a loss of a graph as a function to minimise ---- */

/* The mean of a scalar loss over all records, as a function of the parameters that it depends on (frozen ones apart):
 * x is their elements one after another, in order of creation. Gradients come from the graph. `loss` is to be a mean
 * over the records of its batch. Evaluations cost all records each, so this is for L-BFGS and its kin, on losses
 * without chance. x is f64, but the graph knows f and its gradient to about 1e-7 of their size: a gradient_tolerance
 * of 1e-5 or so is what can be met. Uses the context as training does: alone. */
typedef struct ct_loss_problem ct_loss_problem;
typedef struct ct_loss_options {
    int64_t batch; /* records at a time; 0: 4,096 */
    int32_t train; /* 1: batch norm by each batch's statistics, dropout by one mask; 0: as in evaluation */
    int32_t reserved[5];
} ct_loss_options;
/* in[i]: contiguous [rows, ...] of the loss's input i, in order of creation; it must outlive the problem. `o` may be
 * NULL. CT_EUSAGE for a loss that is no scalar or has no parameters. */
CT_API ct_status ct_loss_problem_new(ct_t loss, const void *const *in, int64_t rows, const ct_loss_options *o,
                                     ct_loss_problem **out, ct_err *e);
CT_API void ct_loss_problem_free(ct_loss_problem *p); /* NULL is fine; before the context */
CT_API int64_t ct_loss_problem_size(const ct_loss_problem *p);
CT_API ct_status ct_loss_problem_get(ct_loss_problem *p, double *x, ct_err *e); /* the parameters now */
/* The parameters from now on. */
CT_API ct_status ct_loss_problem_set(ct_loss_problem *p, const double *x, ct_err *e);
/* For ct_minimise and ct_gradient_check. f leaves its x in the parameters; it is NaN once a run failed, and
 * ct_loss_problem_status says why. */
CT_API ct_problem ct_loss_problem_of(ct_loss_problem *p);
CT_API ct_status ct_loss_problem_status(const ct_loss_problem *p, ct_err *e);
/* All of it: minimise from the parameters as they are, and leave the result there. `how`, `o` and `out` may be NULL: L-BFGS
 * of at most 200 iterations, gradient_tolerance 1e-5. */
CT_API ct_status ct_minimise_loss(ct_t loss, const void *const *in, int64_t rows, const ct_loss_options *how,
                                  const ct_minimise_options *o, ct_minimise_result *out, ct_err *e);

#ifdef __cplusplus
}
#endif
#endif
