/* picture_uri.h: small pictures as data: URIs, for pages that need nothing from elsewhere. */
#ifndef CT_TASK_PICTURE_URI_H
#define CT_TASK_PICTURE_URI_H

#include "cotan.h"

/* Append data:image/...;base64,... of planes [C,H,W]. PNG takes 1, 3 or 4 channels (with alpha), JPEG 1 or 3. A failure
 * is the text's `failed`. */
void ct__png_uri(ct_text *t, const uint8_t *planes, int64_t channels, int64_t h, int64_t w);
void ct__jpeg_uri(ct_text *t, const uint8_t *planes, int64_t channels, int64_t h, int64_t w, int quality);

#endif
