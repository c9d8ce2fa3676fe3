/* folder.c: files as names in folders: append, rename, remove, make, and making names last.
 *
 * A new name lives in its folder, so it survives a power loss only when the folder was synced too. */
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LONGEST_PATH 4096

static ct_status refused(const char *path, const char *what, int error, ct_err *e) {
    return ct_fail_at(e, CT_EIO, path, -1,
                      "%s: %s; wanted to write there; check the folder, its permissions and space", what,
                      ct__files_why(error));
}

/* Some file systems cannot sync a folder and say EINVAL; there is nothing to do about it there. */
int ct__folder_sync(const ct_files *f, const char *folder) {
    int fd = ct__files_open(f, folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) return errno;
    int error = ct__files_fsync(f, fd) ? errno : 0;
    (void)ct__files_close(f, fd);
    return error == EINVAL || error == ENOTSUP ? 0 : error;
}

ct_status ct_folder_sync(const ct_files *f, const char *path, ct_err *e) {
    char folder[LONGEST_PATH];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (n >= sizeof folder) return refused(path, "cannot sync its folder", ENAMETOOLONG, e);
    snprintf(folder, sizeof folder, "%.*s", n ? (int)n : 1, n ? path : slash ? "/" : ".");
    int error = ct__folder_sync(f, folder);
    return error ? refused(path, "its name may not survive a power loss", error, e) : CT_OK;
}

ct_status ct_folder_make(const ct_files *f, const char *path, int32_t *made, ct_err *e) {
    struct stat s;
    if (ct__files_mkdir(f, path, 0777) == 0) {
        *made = 1;
        return ct_folder_sync(f, path, e);
    }
    int error = errno;
    if (error != EEXIST) return refused(path, "cannot be made", error, e);
    if (stat(path, &s) || !S_ISDIR(s.st_mode)) return refused(path, "cannot be made", ENOTDIR, e);
    *made = 0;
    return CT_OK;
}

ct_status ct_file_rename(const ct_files *f, const char *from, const char *to, ct_err *e) {
    if (ct__files_rename(f, from, to) == 0) return CT_OK;
    return ct_fail_at(e, CT_EIO, from, -1,
                      "cannot be renamed to %s: %s; wanted to keep it there; check the folder", to,
                      ct__files_why(errno));
}

ct_status ct_file_remove(const ct_files *f, const char *path, ct_err *e) {
    if (ct__files_unlink(f, path) == 0 || errno == ENOENT) return CT_OK;
    return refused(path, "cannot be removed", errno, e);
}

ct_status ct_file_append(const ct_files *f, const char *path, const void *data, uint64_t bytes, ct_err *e) {
    int fd = ct__files_open(f, path, O_WRONLY | O_APPEND, 0), made = fd < 0 && errno == ENOENT;
    if (made) fd = ct__files_open(f, path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (fd < 0) return refused(path, "cannot be appended to", errno, e);
    int error = ct__files_write_all(f, fd, data, bytes, NULL);
    if (!error && ct__files_fsync(f, fd)) error = errno;
    if (ct__files_close(f, fd) && !error) error = errno;
    if (error) return refused(path, "cannot be appended to", error, e);
    return made ? ct_folder_sync(f, path, e) : CT_OK;
}
