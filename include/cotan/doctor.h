/* cotan/doctor.h: looks after a training: what is wrong with it, in words, with the numbers that show it and the option
 * to change.
 *
 * A doctor watches a loss of any net. At few steps (every 64th by default) it runs a plan of its own over a quarter of
 * the batch: activations and gradients as an evaluation has them; it draws nothing, assigns nothing, and the trained
 * weights are the same to the last bit with or without it. Around the same steps it compares the weights before and
 * after. The losses of all steps it is told. What it finds is a function of the training alone, never of time or
 * threads, and its state can be saved and read back, so a resumed training finds the same.
 *
 *     ct_doctor_new(loss, logits, &data, &(ct_doctor_options){.steps = steps, .batch = 64}, &doctor, &e);
 *     each step:  ct_doctor_before(doctor, step, &batch, &e);
 *                 ct_trainer_step(trainer, &batch, lr, &mean, NULL, &e);
 *                 ct_doctor_after(doctor, step, mean, lr, &e);
 *     for (i = 0; i < ct_doctor_findings(doctor); i++) puts(ct_doctor_finding(doctor, i)->text);
 *
 * Uses the context as training does: alone. */
#ifndef COTAN_DOCTOR_H
#define COTAN_DOCTOR_H

#include "cotan/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What can be found, and from which number on (the limits are in src/nn/doctor_rules.c, with their reasons). */
typedef enum ct_fault {
    CT_FAULT_DEAD_RELU = 1,     /* more than half of a layer's ReLUs gave 0 in the last eight measurements */
    CT_FAULT_SATURATED = 2,     /* most outputs of a sigmoid or tanh lie in the flat hundredth of its range */
    CT_FAULT_VANISHING = 3,     /* a weight's gradient is under 1e-5 of the largest */
    CT_FAULT_EXPLODING = 4,     /* the gradient's norm is above 1,000 */
    CT_FAULT_LARGE_UPDATES = 5, /* a step changes the weights by more than a tenth */
    CT_FAULT_SMALL_UPDATES = 6, /* a step changes no weight by a millionth */
    CT_FAULT_FLAT_LOSS = 7,     /* a third into the training the loss is that of guessing */
    CT_FAULT_RISING_LOSS = 8,   /* the loss is well above that of the first steps */
    CT_FAULT_ONE_CLASS = 9,     /* all predictions are one class, the labels are not */
    CT_FAULT_NONFINITE = 10     /* NaN or infinity; the text names the node and the sample that made it */
} ct_fault;
#define CT_FAULTS 10
CT_API const char *ct_fault_name(int32_t fault); /* "dead_relu" ..., static; NULL: no such number */

typedef struct ct_finding {
    int32_t fault; /* a ct_fault; each is found once a training */
    int32_t reserved;
    int64_t step;        /* after which it was found, from 1 */
    double value, limit; /* the evidence, and what it was held against */
    char layer[64];      /* where, or "" */
    char text[400];      /* one line: what was found, with the numbers */
    char advice[80];     /* what to change */
} ct_finding;

/* Of the last measurement; NaN where there was none. */
typedef struct ct_layer_health {
    const char *layer; /* the named layer that feeds it; with the doctor */
    const char *op;    /* "relu", "sigmoid", "tanh" */
    int64_t units;     /* channels or features */
    double active;     /* ReLU: the share of outputs above 0 */
    double dead;       /* ReLU: units that gave 0 in the last eight measurements (NaN before the fourth) */
    double saturated;  /* sigmoid, tanh: the share of outputs in the flat hundredth of the range */
} ct_layer_health;
typedef struct ct_weight_health {
    const char *name;
    double gradient; /* root of the mean square of its elements' gradients */
    double weight;   /* likewise of the elements */
    double
        update; /* norm of what the step changed / norm of the weight; NaN for those beyond 16 Mi elements in all */
} ct_weight_health;

/* Zero means the default. */
typedef struct ct_doctor_options {
    int64_t steps; /* of the whole training; needed */
    int64_t batch; /* rows of a step; needed */
    int64_t every; /* steps from one measurement to the next; 0: 64 */
    int64_t rows;  /* of the batch that are measured, the first; 0: a quarter, at least 16 */
    int32_t
        label; /* 1 + the field with the labels (i64 indices, or f32 shares): loss of guessing, one class */
    int32_t reserved[7];
} ct_doctor_options;

typedef struct ct_doctor ct_doctor;
/* `logits` may be none ({0}). `like` as for ct_trainer_new. Make it after the trainer. CT_EUSAGE, CT_ELIMIT. */
CT_API ct_status ct_doctor_new(ct_t loss, ct_t logits, const ct_source *like, const ct_doctor_options *o,
                               ct_doctor **out, ct_err *e);
CT_API void ct_doctor_free(ct_doctor *d); /* NULL is fine; before the context */
/* Step `step` (from 0) is about to be taken with this batch. */
CT_API ct_status ct_doctor_before(ct_doctor *d, int64_t step, const ct_batch *b, ct_err *e);
/* It has been taken, with this mean loss; one that is not finite is left aside. */
CT_API ct_status ct_doctor_after(ct_doctor *d, int64_t step, double loss, double lr, ct_err *e);
/* A step that was not finite, and what was told about it (it names the node and the sample). */
CT_API void ct_doctor_nonfinite(ct_doctor *d, int64_t step, const char *what);
CT_API int32_t ct_doctor_findings(const ct_doctor *d);
CT_API const ct_finding *ct_doctor_finding(const ct_doctor *d, int32_t i); /* in the order of finding; NULL */
CT_API int64_t ct_doctor_measured(const ct_doctor *d);                     /* measurements so far */
CT_API int64_t ct_doctor_rows(const ct_doctor *d);                         /* rows of each */
CT_API double ct_doctor_seconds(const ct_doctor *d);                       /* that this doctor's calls took */
CT_API int32_t ct_doctor_layers(const ct_doctor *d);
CT_API ct_layer_health ct_doctor_layer(const ct_doctor *d, int32_t i);
CT_API int32_t ct_doctor_weights(const ct_doctor *d);
CT_API ct_weight_health ct_doctor_weight(const ct_doctor *d, int32_t i);
/* All that it knows, as a new array of bytes; and back (CT_EDATA where it is of another net). */
CT_API ct_status ct_doctor_save(const ct_doctor *d, ct_array *out, ct_err *e);
CT_API ct_status ct_doctor_load(ct_doctor *d, const ct_array *from, ct_err *e);

#ifdef __cplusplus
}
#endif
#endif
