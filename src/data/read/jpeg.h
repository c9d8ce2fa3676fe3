/* jpeg.h: the two parts of reading JPEG. */
#ifndef CT_DATA_JPEG_H
#define CT_DATA_JPEG_H

#include "data/read/picture.h"

ct_status ct__jpeg_probe(ct__pic *p); /* jpeg_markers.c */

#endif
