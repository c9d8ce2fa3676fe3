/* run.h: a run's folder: the lock, config.json, metrics.jsonl, checkpoints. */
#ifndef CT_TASK_RUN_H
#define CT_TASK_RUN_H

#include <jansson.h>

#include "cotan/task.h"

typedef struct ct__run {
    const ct_files *files;
    const ct_allocator *allocator;
    char model[4096], folder[4096];
    int32_t lock;        /* descriptor, -1 */
    int32_t made, begun; /* the folder is ours; something stands in it that must stay */
    int32_t damaged;     /* the newest checkpoint is; the one before is what is left */
} ct__run;

/* Paths from the output's name: "m.safetensors" -> "m.run". */
ct_status ct__run_paths(ct__run *r, const char *output, ct_err *e);
/* Make the folder, take the lock (CT_EIO with the holder's pid when another has it), see that the model can be
 * written, remove what killed writers left. Closing a run that nothing was written to leaves no trace. */
ct_status ct__run_open(ct__run *r, ct_err *e);
/* Could it be opened? The folder for model and run is there and may be written to; nothing is. CT_EIO. */
ct_status ct__run_possible(const ct__run *r, ct_err *e);
void ct__run_close(ct__run *r);
int ct__run_has(const ct__run *r, const char *name); /* a file of the folder; NULL: the model */
const char *ct__run_path(const ct__run *r, const char *name, char out[4200]);
ct_status ct__run_remove(const ct__run *r, const char *name, ct_err *e);
/* JSON files. Read: a new reference in *out, NULL where it fails. Write: atomically, sorted keys, indented. */
ct_status ct__run_read(const ct__run *r, const char *name, json_t **out, ct_err *e);
ct_status ct__run_write(const ct__run *r, const char *name, const json_t *v, ct_err *e);
/* Keep the first `lines` whole lines of a log; a torn or later line is dropped. */
ct_status ct__run_truncate(const ct__run *r, const char *name, int64_t lines, ct_err *e);
ct_status ct__run_append(const ct__run *r, const char *name, const json_t *row, ct_err *e);
/* Rotate: checkpoint -> previous, then write. One that is damaged is not kept: the one before stays until there is
 * another. */
ct_status ct__run_save(ct__run *r, const ct_tensors *t, ct_err *e);
/* The newest checkpoint that is whole; *note says what was wrong with the other, or "". *out NULL: none. `strict`:
 * one that is damaged is CT_EDATA. One of a newer format is that always. */
ct_status ct__run_load(ct__run *r, int strict, ct_tensors **out, const char **document, char note[600],
                       ct_err *e);

/* NaN and infinities become null. */
json_t *ct__json_number(double v);
/* A path; what is not UTF-8 in it as \xNN. */
json_t *ct__json_path(const char *path);

#endif
