/* doctor.h: what a doctor keeps, shared by its files. All that a resumed training must know again lies in `memory`, a
 * struct followed by numbers of each layer, unit, weight and class. */
#ifndef CT_NN_DOCTOR_H
#define CT_NN_DOCTOR_H

#include "cotan/doctor.h"

enum { CT__RELU = 1, CT__SIGMOID = 2, CT__TANH = 3 };
#define CT__DEAD_FROM 4  /* measurements at least ... */
#define CT__DEAD_AFTER 8 /* ... and those that are looked back */

typedef struct ct__activation {
    ct_t y;
    const char *layer;
    int32_t kind, axis; /* axis: of the units */
    int64_t units;
    float *share; /* [rows, units]: above 0; in the flat part */
    float *most;  /* [rows, units] of a ReLU, else NULL */
    double *last; /* [units] in memory: the measurement at which it last gave more than 0, from 1 */
} ct__activation;

typedef struct ct__weight {
    const char *name;
    ct_shape shape;
    int64_t count;
    float *before; /* [count], or NULL: too large to keep */
    float norm;    /* of the gradient, as the plan writes it */
    int32_t reserved;
} ct__weight;

/* Numbers of the last measurement. */
typedef struct ct__layer_memory {
    double active, dead, saturated;
} ct__layer_memory;
typedef struct ct__weight_memory {
    double gradient, weight, update;
} ct__weight_memory;
/* A finding as numbers; its text is made of them. */
typedef struct ct__found {
    double fault, step, value, limit, more;
    double index; /* of the layer, weight or class; -1 */
} ct__found;
typedef struct ct__memory {
    double measured;
    double first_sum, first_count, recent, steps; /* losses: of the first steps; a moving mean; steps told */
    double labels;                                /* counted */
    double one_class, class_seen, several; /* measurements in a row; which; 1: labels of more than one */
    double large, small, exploding, vanishing, saturated; /* measurements in a row */
    double found;                                         /* how many */
    ct__found finding[CT_FAULTS];
} ct__memory;

struct ct_doctor {
    ct_ctx *ctx;
    const ct_allocator *allocator;
    ct_arena arena;
    ct_doctor_options o;
    ct_plan *plan;
    ct_session *session;
    int32_t n_inputs, n_out;
    int32_t field[CT_MAX_FIELDS];
    void **out;
    ct__activation *act;
    ct__weight *weight;
    int32_t acts, weights;
    int64_t classes, predictions; /* logits of a row of the batch: predictions x classes; 0: none */
    float *logits;
    int64_t label_count; /* labels of a row */
    int32_t shares;      /* 1: labels are f32 shares of classes */
    int32_t measuring;   /* a measurement was made before the step that is being taken */
    float *scratch;      /* of the largest weight kept */
    double begin, seconds;
    /* memory */
    uint64_t bytes;
    ct__memory *m;
    ct__layer_memory *layer;       /* [acts] */
    ct__weight_memory *last;       /* [weights] */
    double *count;                 /* [classes] labels seen */
    char (*nonfinite)[400];        /* what was told, one */
    ct_finding finding[CT_FAULTS]; /* made of memory */
};

void ct__doctor_judge_loss(ct_doctor *d, int64_t step, double lr);
void ct__doctor_judge(ct_doctor *d, int64_t step, double lr);
void ct__doctor_words(ct_doctor *d, int32_t i); /* finding i from memory */
double ct__doctor_guess(const ct_doctor *d);    /* the loss of guessing by the labels' shares; NaN */

#endif
