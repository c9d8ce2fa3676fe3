/* files.h: the file-operations seam, from the inside.
 *
 * Every open, read, write ... of the library goes through these, which call the table's member or, where
 * the table or the member is NULL, the operating system. EINTR is retried here, once for all (close is
 * not: on Linux the descriptor is gone then). Files are opened close-on-exec. */
#ifndef CT_BASE_FILES_H
#define CT_BASE_FILES_H

#include "cotan/base.h"

int ct__files_open(const ct_files *f, const char *path, int flags, int mode);
int64_t ct__files_read(const ct_files *f, int fd, void *buffer, size_t bytes);
int64_t ct__files_write(const ct_files *f, int fd, const void *buffer, size_t bytes);
int ct__files_fsync(const ct_files *f, int fd);
int ct__files_close(const ct_files *f, int fd);
int ct__files_rename(const ct_files *f, const char *from, const char *to);
int ct__files_unlink(const ct_files *f, const char *path);
int ct__files_mkdir(const ct_files *f, const char *path, int mode);
/* All of it: 0, or the errno; *written counts what went through (may be NULL). */
int ct__files_write_all(const ct_files *f, int fd, const void *data, uint64_t bytes, uint64_t *written);
/* 0, or the errno of why the names in a folder may not last. */
int ct__folder_sync(const ct_files *f, const char *folder);
/* The system's English text of an errno value. Static storage, from any thread. */
const char *ct__files_why(int error);

#endif
