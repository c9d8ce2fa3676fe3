/* inflate.h: gzip files whose first bytes say how long they are. */
#ifndef CT_DATA_READ_INFLATE_H
#define CT_DATA_READ_INFLATE_H

#include "cotan/data.h"

#define CT__HEAD 64 /* bytes that a header must fit in */

/* *whole: the length of the whole by its first CT__HEAD bytes; or the error of a header that is wrong. */
typedef ct_status (*ct__read_head)(const uint8_t *head, const char *path, uint64_t *whole, ct_err *e);

/* ct_file_inflate, ending as soon as the header is wrong or the data longer than it says (CT_EDATA): a bomb is
 * not unpacked. `head` may be NULL. */
ct_status ct__file_inflate(const ct_files *f, const ct_allocator *a, const char *path, uint64_t limit,
                           ct__read_head head, void **data, uint64_t *bytes, ct_err *e);

#endif
