/* mirror.c: may grey pictures be flipped in training? Those of things may, letters and digits may not; the pictures
 * themselves say which they are. The mean pictures of the classes, from every second record, tell the other records
 * apart, as they are and mirrored. Of mirrored digits 0.35 are nearest to the mean of their class, 0.90 of the digits as
 * they are; of Fashion-MNIST's mirrored clothes 0.58, and 0.69. So pictures are flipped where mirrored ones are told apart
 * at least KEPT times as often. */
#include "task/image/job.h"

#define KEPT 0.7
#define MOST_RECORDS 10000
#define MOST_WORK 2e8 /* records times classes times pixels */
#define FEWEST 20     /* records, below which nothing is known */

typedef struct means {
    const ct__pictures *pictures;
    int64_t height, width, classes;
    double *mean;    /* [classes, H, W] */
    uint64_t *count; /* [classes]: records of each */
} means;

static const uint8_t *picture(const means *m, int64_t record) {
    return (const uint8_t *)m->pictures->images.data + record * m->height * m->width;
}

static void add(means *m, int64_t record) {
    int64_t pixels = m->height * m->width, label = ct__pictures_label(m->pictures, record);
    const uint8_t *p = picture(m, record);
    for (int64_t i = 0; i < pixels; i++) m->mean[label * pixels + i] += (double)p[i];
    m->count[label]++;
}

static void divide(means *m) {
    int64_t pixels = m->height * m->width;
    for (int64_t c = 0; c < m->classes; c++)
        for (int64_t i = 0; i < pixels && m->count[c]; i++) m->mean[c * pixels + i] /= (double)m->count[c];
}

static double distance(const means *m, const uint8_t *p, const double *mean, int mirrored) {
    double sum = 0;
    for (int64_t y = 0; y < m->height; y++)
        for (int64_t x = 0; x < m->width; x++) {
            double d = (double)p[y * m->width + (mirrored ? m->width - 1 - x : x)] - mean[y * m->width + x];
            sum += d * d;
        }
    return sum;
}

/* Is the mean of its own class the nearest one to a record? */
static int is_told(const means *m, int64_t record, int mirrored) {
    int64_t pixels = m->height * m->width, best = -1;
    double least = 0;
    for (int64_t c = 0; c < m->classes; c++) {
        if (!m->count[c]) continue;
        double d = distance(m, picture(m, record), m->mean + c * pixels, mirrored);
        if (best < 0 || d < least) best = c, least = d;
    }
    return best == ct__pictures_label(m->pictures, record);
}

ct_status ct__mirror_keeps_classes(ct__image_job *j, int *yes) {
    const ct_array *x = &j->train.images;
    means m = {.pictures = &j->train, .height = x->dim[1], .width = x->dim[2], .classes = j->classes};
    double each = (double)m.classes * (double)m.height * (double)m.width;
    int64_t records = j->train_count < MOST_RECORDS ? j->train_count : MOST_RECORDS, told[2] = {0, 0};
    *yes = 0;
    if ((double)records * each > MOST_WORK) records = (int64_t)(MOST_WORK / each);
    if (x->rank != 3 || records < FEWEST) return CT_OK;
    m.mean = ct_arena_array(&j->arena, (uint64_t)(m.classes * m.height * m.width), sizeof *m.mean);
    m.count = ct_arena_array(&j->arena, (uint64_t)m.classes, sizeof *m.count);
    if (!m.mean || !m.count) return ct_fail(j->e, CT_ELIMIT, "data: out of memory for the means of classes");
    for (int64_t i = 0; i < records; i += 2) add(&m, j->train_index[i]);
    divide(&m);
    for (int64_t i = 1; i < records; i += 2)
        for (int mirrored = 0; mirrored < 2; mirrored++)
            told[mirrored] += is_told(&m, j->train_index[i], mirrored);
    *yes = (double)told[1] >= KEPT * (double)told[0] && told[0] > 0;
    return CT_OK;
}
