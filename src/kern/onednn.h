/* onednn.h: what conv.c and reorder.c share of oneDNN 2.x. Only these files include it. */
#ifndef CT_KERN_ONEDNN_H
#define CT_KERN_ONEDNN_H

#include <dnnl.h>

#include "kern/conv.h"

_Static_assert(sizeof(dnnl_memory_desc_t) <= CT__LAYOUT_BYTES, "an opaque layout holds a memory descriptor");

/* oneDNN's own allocations abort the process when they fail deep inside; so before it creates anything a
 * reserve is taken and given back. CT_ELIMIT when there is none. */
ct_status ct__onednn_reserve(ct_err *e);
ct_status ct__onednn_fail(ct_err *e, dnnl_status_t status, const char *what, const ct__conv_shape *s);
/* The weight's descriptor: of the layout, or plain when its bytes are 0. */
void ct__weight_desc(const ct__conv_shape *s, const ct__weight_layout *layout, dnnl_memory_desc_t *out);
int ct__onednn_is_ref(const char *impl);

#endif
