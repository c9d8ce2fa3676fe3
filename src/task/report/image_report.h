/* image_report.h: the page of a training of pictures, shared by its files. */
#ifndef CT_TASK_IMAGE_REPORT_H
#define CT_TASK_IMAGE_REPORT_H

#include "task/image/job.h"
#include "task/report/report.h"

typedef struct ct__page {
    ct__image_job *j;
    ct_arena arena;
    ct_err *e;
    json_t *rows;       /* of metrics.jsonl */
    ct__sample *sample; /* [n] of validation.jsonl, in the order of the validation part */
    int64_t n;
    const char **label;                     /* [classes] */
    int64_t *confusion, *example, *mistake; /* mistake: [mistakes] samples, the most confident first */
    int64_t mistakes;
    uint8_t *drawn;        /* [n] its figure stands on the page */
    ct_text shown, hidden; /* figures: of the mistakes; of other examples */
} ct__page;

/* image_report_pictures.c */
ct_status ct__page_pictures(ct__page *p); /* chooses and draws: shown, hidden, example */
void ct__page_filters(ct__page *p, ct_text *t);
/* image_report_why.c: what the net looked at */
ct_status ct__page_picture(const ct__page *p, int64_t sample, ct_array *out); /* [C,H,W] u8, new */
ct_status ct__page_why(ct__page *p, ct_text *t);
void ct__page_caption(const ct__page *p, int64_t sample, ct_text *t);

#endif
