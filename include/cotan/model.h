/* cotan/model.h: tensors in files, and models: one .safetensors file that is the whole program.
 *
 * A model file is a plain safetensors file. Its weights have PyTorch's state_dict names and layouts; its
 * metadata has two strings, "format" = "pt" and "cotan" = one JSON document (task, net text, inputs, labels,
 * preprocessing, recipe, metrics, hashes). */
#ifndef COTAN_MODEL_H
#define COTAN_MODEL_H

#include "cotan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- safetensors ---- */

/* Named tensors and text metadata, in memory. Files are read whole; every number of the header is checked
 * against the bytes there are, and the ranges must tile the data, empty ones apart, which may lie anywhere in
 * it. Limits: header 100 MB, 8 axes. */
typedef struct ct_tensors ct_tensors;
CT_API ct_status ct_tensors_new(const ct_allocator *a, ct_tensors **out, ct_err *e);
CT_API void ct_tensors_free(ct_tensors *t);
/* A copy of a contiguous array. A name twice is an error. */
CT_API ct_status ct_tensors_add(ct_tensors *t, const char *name, const ct_array *from, ct_err *e);
CT_API ct_status ct_tensors_set(ct_tensors *t, const char *key, const char *value, ct_err *e); /* metadata */
/* A file, or bytes of one named `name` in errors. CT_EDATA, CT_EIO, CT_ELIMIT. To be freed. */
CT_API ct_status ct_tensors_load(const ct_files *f, const ct_allocator *a, const char *path, ct_tensors **out,
                                 ct_err *e);
CT_API ct_status ct_tensors_parse(const ct_allocator *a, const void *data, uint64_t bytes, const char *name,
                                  ct_tensors **out, ct_err *e);
/* Atomically: the old file stays until the new one is whole. CT_EIO. */
CT_API ct_status ct_tensors_save(const ct_files *f, const ct_tensors *t, const char *path, ct_err *e);
/* The file's bytes; *data is freed with ct_delete(a, data, bytes). */
CT_API ct_status ct_tensors_bytes(const ct_tensors *t, const ct_allocator *a, void **data, uint64_t *bytes,
                                  ct_err *e);
CT_API int64_t ct_tensors_count(const ct_tensors *t);
CT_API const char *ct_tensors_name(const ct_tensors *t, int64_t i); /* in the file's order */
/* A view that lives as long as the tensors. CT_EUSAGE, nothing recorded, for another index. */
CT_API ct_status ct_tensors_at(const ct_tensors *t, int64_t i, ct_array *view);
CT_API int64_t ct_tensors_find(const ct_tensors *t, const char *name);   /* -1: none */
CT_API const char *ct_tensors_get(const ct_tensors *t, const char *key); /* metadata, or NULL */
/* How many numbers are NaN or infinite; *first (may be NULL): the first tensor that has one, or -1. */
CT_API int64_t ct_tensors_nonfinite(const ct_tensors *t, int64_t *first);

/* ---- weights of a context ---- */

/* Kinds of variables, as a mask: 1 << CT_PARAM | 1 << CT_BUFFER is a model; moments, and the states of a session, are
 * in checkpoints only. */
#define CT_MODEL_KINDS (1 << CT_PARAM | 1 << CT_BUFFER)
CT_API ct_status ct_weights_collect(ct_ctx *c, int32_t kinds, ct_tensors *to, ct_err *e);
/* The session's states that have values, by name; and back: states without a tensor begin anew. */
CT_API ct_status ct_states_collect(ct_session *s, ct_tensors *to, ct_err *e);
CT_API ct_status ct_states_apply(ct_session *s, const ct_tensors *from, ct_err *e);
/* Parameters and buffers as a model holds them: where a moving average of a parameter is kept (ct_train.average), the
 * average under the parameter's name. */
CT_API ct_status ct_weights_model(ct_ctx *c, ct_tensors *to, ct_err *e);
/* Every variable of those kinds gets the tensor of its name. Before anything is changed all names and shapes
 * are compared; missing, superfluous and misshaped ones are counted and listed together (CT_EDATA, "FILE: ...").
 * Superfluous names are allowed when `extra` is 1. Types are converted. A tied parameter is written under each of its
 * names; one of them is enough to read it, several must hold the same bytes. */
CT_API ct_status ct_weights_apply(ct_ctx *c, const ct_tensors *from, const char *file, int32_t kinds,
                                  int32_t extra, ct_err *e);

/* ---- models ---- */

#define CT_MODEL_FORMAT 1 /* of the document; a file of a newer one is refused (CT_EDATA, both numbers) */

/* The document is a JSON object, as text. What is read from it:
 *   "net"        the net as text (docs/net.md)
 *   "inputs"     [{"name": "x", "dtype": "f32", "shape": [-1, 2]}, ...]: what input(NAME) is; -1: the batch
 *   "constants"  {"classes": "10"}: numbers that the text uses by name
 *   "task"       what the model is for, any text: ct_model_task. With "image" the command predicts with it: one input of
 *                f32 [N,C,H,W], logits [N,classes], and both of the following
 *   "labels"     ["cat", "dog"]: the classes' names, ct_model_label
 *   "transform"  what is done to a picture before the net (docs/transforms.md), such as "normalize mean=0.5 std=0.25"
 * Others stay as they are, to be read with ct_model_text and ct_model_number; "format", "tensors" and "header" are written
 * here. */

/* A net that was written in C, in one call: the parameters and buffers of y's context, with the text and the inputs of
 * the net that leads to y (ct_net_of). `document` has the other keys; NULL: none.
 * CT_EUSAGE for a net that cannot be text, naming the op, before anything is written; CT_EIO, CT_ELIMIT. */
CT_API ct_status ct_model_save_net(ct_t y, const char *path, const char *document, ct_err *e);
/* Write the context's parameters and buffers with `document`, which has the net's text and inputs, and into which
 * "tensors" (an xxh3-128 of each) and "header" (one of the header, computed with its own digits as 0) are put. Keys
 * sorted: equal weights and documents give equal bytes. */
CT_API ct_status ct_model_save(ct_ctx *c, const char *path, const char *document, ct_err *e);
/* Put a document with those hashes into any set of tensors, such as a checkpoint. After it nothing may be
 * added. */
CT_API ct_status ct_tensors_seal(ct_tensors *t, const char *document, ct_err *e);
/* Tensors of a file with its document checked: format, hashes. Files of other programs have no document:
 * *document is NULL then. *document lives as long as the tensors. */
CT_API ct_status ct_model_read(const ct_files *f, const ct_allocator *a, const char *path, ct_tensors **out,
                               const char **document, ct_err *e);

typedef struct ct_model ct_model;
/* Load, build the net, set the weights, compile for prediction. `o` may be NULL. A loaded model is immutable:
 * any number of threads may run it, each with a session of its own. */
CT_API ct_status ct_model_open(const char *path, const ct_options *o, ct_model **out, ct_err *e);
CT_API void ct_model_close(ct_model *m); /* NULL is fine; after the sessions of its runs */
/* The model's own parts, and texts that live as long as it. */
CT_API ct_ctx *ct_model_context(ct_model *m);
CT_API int64_t ct_model_nonfinite(const ct_model *m); /* ct_tensors_nonfinite of its file */
/* One output: the net's, of what ct_plan_input_shape asks for. What comes before the net is not in it: a model of pictures
 * wants them after its transform, ct_transform_parse(ct_model_text(m, "transform")) of cotan/data.h. */
CT_API ct_plan *ct_model_plan(ct_model *m);
CT_API ct_t ct_model_output(ct_model *m);
CT_API const char *ct_model_document(const ct_model *m); /* JSON */
CT_API const char *ct_model_task(const ct_model *m);
CT_API int64_t ct_model_labels(const ct_model *m); /* how many; 0: none */
CT_API const char *ct_model_label(const ct_model *m, int64_t i);
/* A text member of the document by its path of keys separated by '/', or "". */
CT_API const char *ct_model_text(const ct_model *m, const char *path);
/* A number likewise (true 1, false 0), or `otherwise`. */
CT_API double ct_model_number(const ct_model *m, const char *path, double otherwise);

#ifdef __cplusplus
}
#endif
#endif
