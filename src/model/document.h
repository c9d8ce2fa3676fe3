/* document.h: the JSON document inside a model file. */
#ifndef CT_MODEL_DOCUMENT_H
#define CT_MODEL_DOCUMENT_H

#include <jansson.h>

#include "cotan/model.h"

json_t *ct__document_parse(const char *text, const char *what, ct_err *e); /* NULL with *e */
char *ct__document_dump(const json_t *doc);                                /* free() it */
/* Put the hashes into doc and doc into t. */
ct_status ct__document_seal(ct_tensors *t, json_t *doc, ct_err *e);
ct_status ct__document_check(const ct_tensors *t, const json_t *doc, const char *file, ct_err *e);

#endif
