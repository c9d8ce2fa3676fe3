/* job.h: what a training of pictures consists of, shared by its files. */
#ifndef CT_TASK_IMAGE_JOB_H
#define CT_TASK_IMAGE_JOB_H

#include "task/image/data.h"
#include "task/run.h"
#include "task/report/tensorboard.h"

typedef struct ct__recipe { /* every option that changes the result, defaults filled in */
    char model[64];
    int64_t epochs, batch, limit, steps; /* steps: of the whole training */
    int64_t stop_at;                     /* > 0: the run ends after this step */
    uint64_t seed;
    double lr, weight_decay, clip_norm, average, smoothing, time_limit;
    double momentum; /* as given; -1: the optimiser's own */
    int64_t warmup;  /* steps; 0: the schedule's own */
    char optimiser[32], schedule[32], nonfinite[16];
    int32_t patience;
    int32_t follow_links, allow_broken, background, class_weights;
    char *transform; /* in the job's arena */
    char *freeze;    /* NULL: none */
    char *labels;    /* names of the classes, each ended by '\n'; NULL: the data's own */
    char *init_hash;
    char *net; /* canonical text, settings written in */
} ct__recipe;

typedef struct ct__meter { /* an allocator that refuses to pass a bound */
    ct_allocator under;
    uint64_t limit, live;
} ct__meter;

/* Fewer pictures need more variety than they have, and leave time for larger ones. */
#define CT__FEW_PICTURES 20000

typedef struct ct__image_job {
    const ct_image_train *o;
    ct_image_train metered; /* `o` with an allocator that keeps to .memory */
    ct__meter meter;
    const char *data, *validate, *init; /* paths: as given, or as the run has them; NULL: none */
    const char *begun_by;               /* of a run that is resumed: its command, or ""; else NULL */
    ct_err *e;
    ct_arena arena;
    ct__run run;
    ct__recipe recipe;
    double begin, now;                                   /* by ct__job_now; now: as looked at last */
    double step_seconds, validate_seconds, save_seconds; /* as measured last */
    int64_t checkpoint_every;
    /* data */
    ct__pictures train, validation; /* validation: of --validate, else empty */
    int64_t *train_index, *validation_index;
    int64_t train_count, validation_count, classes, shape[3];
    ct_transform *transform;
    ct_source images, validation_images, train_source, validation_source;
    ct_text found; /* in picture files: what is passed over, what the audit says; a line each */
    char train_hash[33], validation_hash[33], all_hash[33];
    int32_t own_test;                /* 1: the folder has a test part of its own */
    ct_images *set, *validation_set; /* of picture files, in place of `train` and `validation`; NULL: idx */
    ct_source like; /* what the trainer reads: train_source, labels as shares where batches are mixed */
    float *mixed, *shares; /* a mixed batch and its labels; NULL: no mixing */
    /* net */
    const char *net_text, *net_file; /* as --net gave it, for the places in errors; else NULL */
    int32_t opened;                  /* how often: what is said of it is said the first time */
    ct_ctx *ctx;
    ct_t logits, loss;
    ct_trainer *trainer;
    ct_plan *eval_plan;
    ct_session *eval;
    /* state, as a checkpoint has it */
    int64_t step, epoch, position; /* position: batches of this epoch done */
    double loss_sum, plateau;
    int64_t loss_count;
    int64_t best_epoch, bad_epochs, rows; /* rows: of metrics.jsonl */
    double least_loss, least_error; /* of all epochs' validation losses the least, and its standard error */
    ct_tensors *best;               /* the weights of the best epoch */
    int64_t skips_in_row, rollbacks;
    double lr_factor, temperature; /* temperature: of the finished net's probabilities */
    ct_tensors *back;              /* what a rollback goes back to; NULL: none is wanted */
    int32_t resumed, limited;
    double last_lr, last_norm;
    ct__events events; /* with o->tensorboard */
    ct_doctor *doctor; /* NULL: none */
    int32_t told;      /* of its findings */
    ct_text curve;     /* of the range test, the lines of lr.jsonl */
    ct_train_result result;
} ct__image_job;

double ct__job_now(const ct__image_job *j); /* seconds by the job's clock */
void ct__tell_fact(const ct__image_job *j, const char *key, const char *format, ...) CT_PRINTF(3, 4);
void ct__tell_note(const ct__image_job *j, const char *format, ...) CT_PRINTF(2, 3);
void ct__tell_busy(const ct__image_job *j, const char *key, const char *text, int64_t step, int64_t steps);

/* recipe.c */
ct_status ct__recipe_resolve(ct__image_job *j); /* from options, checked */
/* From config.json, or a model's document; given options must be equal. */
ct_status ct__recipe_resume(ct__image_job *j, const json_t *config, const char *file);
json_t *ct__recipe_json(const ct__image_job *j);
ct_status ct__recipe_net(ct__image_job *j); /* recipe.net and .model from the options */
ct_status ct__recipe_transform(ct__image_job *j, const char *text, char **out); /* its canonical form */
/* labels.c: the options' names of classes, checked, into the recipe; then against the data, whose classes may be fewer;
 * and the name of class c, valid until the job ends or `number` is written again. */
ct_status ct__labels_read(ct__image_job *j);
ct_status ct__labels_fit(ct__image_job *j);
const char *ct__image_class(const ct__image_job *j, int64_t c, char name[256]);
/* CT_EDATA unless the training part has two classes at least. */
ct_status ct__classes_check(ct__image_job *j);
/* choose.c: what the options leave open, from the data */
ct_status ct__choose(ct__image_job *j);
int64_t ct__batches(const ct__image_job *j);     /* of an epoch */
ct_status ct__choose_by_steps(ct__image_job *j); /* once their number is known */
int ct__wants_variety(const ct__image_job *j, const int64_t size[2], int64_t channels);
/* "random_crop ..., " where pictures are large enough, "flip" where they are in colour or `flip` is 1, `mean` NULL: no
 * trivial_augment */
void ct__add_training_steps(const ct__image_job *j, ct_text *t, const int64_t size[2], int64_t channels,
                            const double *mean, int flip);
/* mirror.c: are mirrored training pictures (grey, of idx) told apart as well as they are themselves? */
ct_status ct__mirror_keeps_classes(ct__image_job *j, int *yes);
/* time.c */
ct_status ct__time_plan(ct__image_job *j);
int ct__time_decides(const ct__image_job *j); /* the number of steps */
int ct__time_is_over(const ct__image_job *j);
int32_t ct__readers(const ct__image_job *j); /* threads that read ahead */
/* range.c: recipe.lr by a range test */
ct_status ct__range_test(ct__image_job *j);
/* Weights and moments, to try something and go back: `keep` is freed by the second. */
ct_status ct__trial_begin(ct__image_job *j, ct_tensors **keep);
ct_status ct__trial_end(ct__image_job *j, ct_tensors *keep, ct_status s);
/* memory.c */
ct_status ct__memory_open(ct__image_job *j);
ct_status ct__memory_net(ct__image_job *j); /* ct__image_open_net, at the batch that memory allows */
uint64_t ct__memory_cache(const ct__image_job *j);
/* transfer.c */
ct_status ct__transfer_init(ct__image_job *j);
ct_status ct__transfer_freeze(ct__image_job *j);
/* resume.c */
ct_status ct__recipe_compare(ct__image_job *j);
/* xxh3-128 of a file's tensors, as the recipe names weights to begin with. */
ct_status ct__init_hash(ct__image_job *j, const ct_tensors *t, char hex[33]);
/* folder.c: the same from picture files as ct__image_open_data from idx */
ct_status ct__folder_open(ct__image_job *j);
/* mix.c */
ct_status ct__image_mix_open(ct__image_job *j);
void ct__image_mix_close(ct__image_job *j);
ct_status ct__image_mix(ct__image_job *j, const ct_batch *b, ct_batch *out);
/* open.c */
ct_status ct__image_open_data(ct__image_job *j);
ct_status ct__image_open_net(ct__image_job *j);
void ct__image_close_net(ct__image_job *j);
int64_t ct__image_label(const ct__image_job *j, int64_t i); /* of training record i */
/* loop.c: all steps and epochs that are left */
ct_status ct__image_loop(ct__image_job *j);
/* state.c: checkpoints */
ct_status ct__image_save(ct__image_job *j);
ct_status ct__image_restore(ct__image_job *j);
/* epoch.c: validation, the model */
ct_status ct__image_validate(ct__image_job *j, ct_score *score);
/* Some of the training records, scored as the validation part is. */
ct_status ct__image_look_back(ct__image_job *j, ct_score *score);
int64_t ct__image_eval_batch(const ct__image_job *j);
/* begin: of the epoch, by the clock */
ct_status ct__image_end_epoch(ct__image_job *j, double begin, int *stop);
int ct__image_patience_over(const ct__image_job *j); /* 1: stop early */
ct_status ct__image_finish(ct__image_job *j);
/* finite.c: a step, and what becomes of one that is not finite: *loss is NaN then. */
ct_status ct__finite_step(ct__image_job *j, const ct_batch *b, double lr, double *loss);
ct_status ct__finite_keep(ct__image_job *j);  /* at the begin, and at the end of each epoch */
ct_status ct__image_report(ct__image_job *j); /* image_report.c: before the model is written */
/* events.c */
ct_status ct__image_events_open(ct__image_job *j);
void ct__image_events_step(ct__image_job *j, double loss);
ct_status ct__image_events_epoch(ct__image_job *j, const ct_epoch *row);
/* doctor.c */
ct_status ct__doctor_open(ct__image_job *j);
/* One measurement of a doctor of its own, to see whether there is memory; the caller frees it. */
ct_status ct__doctor_rehearse(ct__image_job *j, ct_loader *l, ct_doctor **out);
ct_status ct__doctor_begin(ct__image_job *j, const ct_batch *b); /* before a step */
ct_status ct__doctor_end(ct__image_job *j, double loss);         /* and after it */
void ct__doctor_nonfinite(ct__image_job *j, const char *what);
void ct__doctor_row(const ct__image_job *j, json_t *row); /* what it knows, into the row of an epoch */
json_t *ct__finding_json(const ct_finding *f);
ct_status ct__doctor_save(const ct__image_job *j, ct_tensors *t);
ct_status ct__doctor_restore(ct__image_job *j, const ct_tensors *t);
void ct__doctor_result(const ct__image_job *j, ct_train_result *r);
void ct__score_read(const json_t *v, ct_score *s); /* of ct_score_json */

#endif
