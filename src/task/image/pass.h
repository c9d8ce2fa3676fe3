/* pass.h: a model over pictures, batch by batch: what evaluation and prediction have in common. */
#ifndef CT_TASK_IMAGE_PASS_H
#define CT_TASK_IMAGE_PASS_H

#include "cotan/task.h"

typedef struct ct__pass {
    ct_model *m;
    const ct_allocator *allocator; /* NULL until opened */
    ct_transform *transform;
    ct_session *session;
    ct_source source; /* the caller's to set; closed with the pass */
    ct_loader *loader;
    ct_plan *plan, *own_plan;        /* own_plan: of a layer, made for this pass; NULL: the model's */
    float *logits;                   /* [batch, width]: the plan's output */
    ct_picture_options picture;      /* channels and background that the model wants */
    int64_t classes, batch, want[3]; /* want: what the net reads, [C,H,W] */
    int64_t width;                   /* classes, or the numbers of a layer's output */
    double temperature, threshold;   /* threshold -1: no sets */
    int32_t threads, reserved;       /* of the loader */
    ct_err *e;
} ct__pass;

/* Is the model one of pictures? CT_EUSAGE. */
ct_status ct__pass_task(const ct_model *m, ct_err *e);
/* The model's transform, a session and room for the logits. */
ct_status ct__pass_open(ct__pass *p);
void ct__pass_close(ct__pass *p);
/* After ct__pass_open: the output of a layer in place of the logits ("": what the last layer reads); sets of a coverage. */
ct_status ct__pass_layer(ct__pass *p, const char *layer);
ct_status ct__pass_coverage(ct__pass *p, double coverage);
/* CT_EUSAGE with the text: of records that calibrated the sets no coverage is told. */
ct_status ct__pass_calibrated(const ct__pass *p, const char *path);
/* Row r of p->logits as a prediction: probability [classes] is filled, or with a layer the features are given. */
void ct__pass_row(const ct__pass *p, int64_t r, double *probability, ct_prediction *out);
/* CT_EDATA where the transform does not make what the net reads of pictures of this shape. */
ct_status ct__pass_fits(const ct__pass *p, const int64_t shape[3], const char *path, int64_t at);
/* The next batch of p->loader and its logits; rows 0 at the end. */
ct_status ct__pass_next(ct__pass *p, ct_batch *b);
/* With out->top and out->coverage as asked for. */
ct_status ct__pass_score(ct__pass *p, const ct_source *part, ct_evaluation *out);

#endif
