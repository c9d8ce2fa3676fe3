/* file.h: a file by its descriptor, through the table of file operations, and what tells that it was changed. */
#ifndef CT_DATA_FILE_H
#define CT_DATA_FILE_H

#include <sys/stat.h>

#include "cotan/data.h"

typedef struct ct__stamp { /* a file as it was */
    uint64_t device, inode;
    int64_t bytes, seconds, nanoseconds;
} ct__stamp;

/* For reading; a pipe without a writer does not hang. -1: errno says why. */
int ct__file_open(const ct_files *f, const char *path);
/* As read(), but for interruptions. */
int64_t ct__file_some(const ct_files *f, int fd, void *to, uint64_t bytes);
void ct__file_close(const ct_files *f, int fd);
ct__stamp ct__stamp_of(const struct stat *s);
int ct__stamp_same(const ct__stamp *a, const ct__stamp *b);

#endif
