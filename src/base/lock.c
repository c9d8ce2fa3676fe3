/* lock.c: one process at a time.
 *
 * The kernel's own lock on the open file (F_OFD_SETLK) ends with the process, however it ends; the pid inside
 * is for people. A holder may remove the file; who had opened it before then holds a lock on a name that is
 * gone, which shows by comparing the open file with the name, and tries again. */
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTEMPTS 16

static ct_status held(const char *path, int fd, ct_err *e) {
    char pid[24] = {0};
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    pid[strspn(pid, "0123456789")] = 0;
    return ct_fail_at(e, CT_EIO, path, -1,
                      "held by process %s, which is at work here; wanted to be alone; wait for it, or choose "
                      "another name",
                      n > 0 && pid[0] ? pid : "unknown");
}

static ct_status refused(const char *path, const char *what, int error, ct_err *e) {
    return ct_fail_at(e, CT_EIO, path, -1,
                      "%s: %s; wanted a file to lock; check the folder and its permissions", what,
                      ct__files_why(error));
}

static int same_file(int fd, const char *path) {
    struct stat open_one, named;
    return fstat(fd, &open_one) == 0 && stat(path, &named) == 0 && open_one.st_dev == named.st_dev &&
           open_one.st_ino == named.st_ino;
}

static ct_status write_pid(const ct_files *f, const char *path, int fd, ct_err *e) {
    char pid[24];
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    int error = ftruncate(fd, 0) ? errno : ct__files_write_all(f, fd, pid, (uint64_t)n, NULL);
    return error ? refused(path, "cannot be written", error, e) : CT_OK;
}

ct_status ct_file_lock(const ct_files *f, const char *path, int32_t *lock, ct_err *e) {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = ct__files_open(f, path, O_RDWR | O_CREAT, 0666);
        if (fd < 0) return refused(path, "cannot be opened", errno, e);
        ct_status s = CT_OK;
        if (fcntl(fd, F_OFD_SETLK, &whole) != 0)
            s = errno == EAGAIN || errno == EACCES ? held(path, fd, e)
                                                   : refused(path, "cannot be locked", errno, e);
        else if (same_file(fd, path))
            s = write_pid(f, path, fd, e);
        else {
            (void)ct__files_close(f, fd);
            continue;
        }
        if (!s)
            *lock = fd;
        else
            (void)ct__files_close(f, fd);
        return s;
    }
    return refused(path, "cannot be locked", EBUSY, e);
}

void ct_file_unlock(const ct_files *f, const char *path, int32_t lock, int32_t remove) {
    if (lock < 0) return;
    if (remove)
        (void)ct__files_unlink(f, path);
    else
        (void)!ftruncate(lock, 0); /* the pid was for people; the lock itself is the kernel's */
    (void)ct__files_close(f, lock);
}
