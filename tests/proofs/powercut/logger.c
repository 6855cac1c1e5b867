/*
 * Writes down what a program does to the files of one folder, in order, while it does it.
 *
 *   gcc -shared -fPIC -O2 -o logger.so logger.c -ldl
 *   LD_PRELOAD=logger.so MYKEY_CUT_WATCH=/folder MYKEY_CUT_LOG=/elsewhere/log program
 *
 * The real call is made first, and only what succeeded is written down. One record is a header of
 * 14 bytes - operation, file number, offset (u64 LE), length (u32 LE) - and then the data:
 *
 *   N  a path got this number (data: the path below the folder; a number stays with its path)
 *   C  the file was made by this open          W  written (offset, data)
 *   T  truncated or grown (offset: new size)   S  synced (a folder too)
 *   U  unlinked    R  renamed (data: the new path, numbered before)
 *   A  the program's own word: what it wrote to descriptor 777, which does not exist
 *   E  something was done that this log does not follow (data: what); the log is then worthless
 *
 * Not seen: a write through a mapping that was made before its file was watched, and system calls
 * made without libc. The reader therefore compares the end of the log with the real files.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES_MAX 250
#define DESCRIPTORS_MAX 4096
#define WORD_DESCRIPTOR 777

static char watched[4096];
static size_t watched_length;
static int log_fd = -1;
static char *paths[FILES_MAX];
static int path_count;
static unsigned char number_of[DESCRIPTORS_MAX]; /* 0: not watched, else file number + 1 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...)                                  \
    static type (*real)(__VA_ARGS__);                          \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static ssize_t real_write(int fd, const void *data, size_t length)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    return real(fd, data, length);
}

static void put(const void *data, size_t length)
{
    const char *rest = data;
    while (length > 0) {
        ssize_t done = real_write(log_fd, rest, length);
        if (done <= 0) abort(); /* half a log would prove nothing */
        rest += done;
        length -= (size_t)done;
    }
}

/* One record. The caller holds the lock. */
static void record(char op, int file, uint64_t offset, const void *data, size_t length)
{
    unsigned char head[14];
    uint32_t size = (uint32_t)length;
    head[0] = (unsigned char)op;
    head[1] = (unsigned char)file;
    for (int i = 0; i < 8; i++) head[2 + i] = (unsigned char)(offset >> (8 * i));
    for (int i = 0; i < 4; i++) head[10 + i] = (unsigned char)(size >> (8 * i));
    put(head, sizeof head);
    put(data, length);
}

static void note(char op, int fd, uint64_t offset, const void *data, size_t length)
{
    if (log_fd < 0 || fd < 0 || fd >= DESCRIPTORS_MAX || !number_of[fd]) return;
    record(op, number_of[fd] - 1, offset, data, length);
}

static void escaped(const char *what)
{
    record('E', 0, 0, what, strlen(what));
}

static int is_watched_descriptor(int fd)
{
    return log_fd >= 0 && fd >= 0 && fd < DESCRIPTORS_MAX && number_of[fd];
}

/* The number of a path below the folder, or -1. The index of a WAL (-shm) is rebuilt, never read. */
static int number_path(const char *path)
{
    size_t length = path ? strlen(path) : 0;
    if (log_fd < 0 || length < watched_length || strncmp(path, watched, watched_length)) return -1;
    if (path[watched_length] != '/' && path[watched_length] != 0) return -1;
    if (length > 4 && !strcmp(path + length - 4, "-shm")) return -1;
    const char *below = path + watched_length + (path[watched_length] == '/');
    for (int i = 0; i < path_count; i++)
        if (!strcmp(paths[i], below)) return i;
    if (path_count == FILES_MAX) {
        escaped("too many files");
        return -1;
    }
    paths[path_count] = strdup(below);
    record('N', path_count, 0, below, strlen(below));
    return path_count++;
}

__attribute__((constructor)) static void start(void)
{
    const char *folder = getenv("MYKEY_CUT_WATCH"), *log = getenv("MYKEY_CUT_LOG");
    if (!folder || !log || strlen(folder) >= sizeof watched) return;
    strcpy(watched, folder);
    watched_length = strlen(watched);
    REAL(int, "open64", const char *, int, ...);
    log_fd = real(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) abort();
}

/* Runs `CALL` (an open) and writes down what it did. */
#define OPENED(PATH, FLAGS, CALL)                                              \
    struct stat before;                                                        \
    int new_file = ((FLAGS) & O_CREAT) && stat(PATH, &before) != 0;            \
    pthread_mutex_lock(&lock);                                                 \
    int fd = CALL;                                                             \
    int number = fd >= 0 ? number_path(PATH) : -1;                             \
    if (fd >= 0 && fd < DESCRIPTORS_MAX) number_of[fd] = (unsigned char)(number + 1); \
    if (number >= 0 && fd >= DESCRIPTORS_MAX) escaped("descriptor too high");  \
    if (number >= 0 && new_file) record('C', number, 0, "", 0);                \
    if (number >= 0 && !new_file && ((FLAGS) & O_TRUNC)) record('T', number, 0, "", 0); \
    if (number >= 0 && ((FLAGS) & O_APPEND)) escaped("O_APPEND");              \
    pthread_mutex_unlock(&lock);                                               \
    return fd

static mode_t mode_of(int flags, va_list rest)
{
    return (flags & O_CREAT) ? (mode_t)va_arg(rest, int) : 0;
}

#define MODE va_list rest; va_start(rest, flags); mode_t mode = mode_of(flags, rest); va_end(rest)

int open(const char *path, int flags, ...)
{
    REAL(int, "open", const char *, int, ...);
    MODE;
    OPENED(path, flags, real(path, flags, mode));
}

int open64(const char *path, int flags, ...)
{
    REAL(int, "open64", const char *, int, ...);
    MODE;
    OPENED(path, flags, real(path, flags, mode));
}

int openat(int folder, const char *path, int flags, ...)
{
    REAL(int, "openat", int, const char *, int, ...);
    MODE;
    OPENED(path, flags, real(folder, path, flags, mode));
}

int openat64(int folder, const char *path, int flags, ...)
{
    REAL(int, "openat64", int, const char *, int, ...);
    MODE;
    OPENED(path, flags, real(folder, path, flags, mode));
}

int close(int fd)
{
    REAL(int, "close", int);
    pthread_mutex_lock(&lock);
    if (fd >= 0 && fd < DESCRIPTORS_MAX) number_of[fd] = 0;
    int result = real(fd);
    pthread_mutex_unlock(&lock);
    return result;
}

#define WRITTEN(FD, OFFSET, DATA, CALL)                        \
    pthread_mutex_lock(&lock);                                 \
    ssize_t done = CALL;                                       \
    int error = errno;                                         \
    if (done > 0) note('W', FD, (uint64_t)(OFFSET), DATA, (size_t)done); \
    pthread_mutex_unlock(&lock);                               \
    errno = error;                                             \
    return done

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    WRITTEN(fd, offset, data, real(fd, data, length, offset));
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset)
{
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    WRITTEN(fd, offset, data, real(fd, data, length, offset));
}

ssize_t write(int fd, const void *data, size_t length)
{
    if (fd == WORD_DESCRIPTOR && log_fd >= 0) {
        pthread_mutex_lock(&lock);
        record('A', 0, 0, data, length);
        pthread_mutex_unlock(&lock);
        return (ssize_t)length;
    }
    if (!is_watched_descriptor(fd)) return real_write(fd, data, length);
    off64_t place = lseek64(fd, 0, SEEK_CUR);
    WRITTEN(fd, place, data, real_write(fd, data, length));
}

#define CHANGED(OP, FD, OFFSET, CALL)                          \
    pthread_mutex_lock(&lock);                                 \
    int result = CALL;                                         \
    int error = errno;                                         \
    if (result == 0) note(OP, FD, (uint64_t)(OFFSET), "", 0);  \
    pthread_mutex_unlock(&lock);                               \
    errno = error;                                             \
    return result

int ftruncate(int fd, off_t size)
{
    REAL(int, "ftruncate", int, off_t);
    CHANGED('T', fd, size, real(fd, size));
}

int ftruncate64(int fd, off64_t size)
{
    REAL(int, "ftruncate64", int, off64_t);
    CHANGED('T', fd, size, real(fd, size));
}

int fsync(int fd)
{
    REAL(int, "fsync", int);
    CHANGED('S', fd, 0, real(fd));
}

int fdatasync(int fd)
{
    REAL(int, "fdatasync", int);
    CHANGED('S', fd, 0, real(fd));
}

int unlink(const char *path)
{
    REAL(int, "unlink", const char *);
    pthread_mutex_lock(&lock);
    int result = real(path);
    int error = errno;
    int number = result == 0 ? number_path(path) : -1;
    if (number >= 0) record('U', number, 0, "", 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int rename(const char *from, const char *to)
{
    REAL(int, "rename", const char *, const char *);
    pthread_mutex_lock(&lock);
    int result = real(from, to);
    int error = errno;
    int source = result == 0 ? number_path(from) : -1;
    int target = result == 0 ? number_path(to) : -1;
    if (source >= 0 && target >= 0)
        record('R', source, (uint64_t)target, paths[target], strlen(paths[target]));
    else if (source >= 0 || target >= 0)
        escaped("rename across the folder's border");
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

/* What nobody here does today. Should somebody begin to, the log says that it is blind. */
#define BLIND(NAME, FD)                            \
    if (is_watched_descriptor(FD)) {               \
        pthread_mutex_lock(&lock);                 \
        escaped(NAME);                             \
        pthread_mutex_unlock(&lock);               \
    }

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    BLIND("writev", fd);
    return real(fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t);
    BLIND("pwritev", fd);
    return real(fd, parts, count, offset);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    REAL(int, "fallocate", int, int, off_t, off_t);
    BLIND("fallocate", fd);
    return real(fd, mode, offset, length);
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
    REAL(int, "posix_fallocate", int, off_t, off_t);
    BLIND("posix_fallocate", fd);
    return real(fd, offset, length);
}

static void check_mapping(int protection, int flags, int fd)
{
    if ((flags & MAP_SHARED) && (protection & PROT_WRITE)) BLIND("mmap for writing", fd);
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    REAL(void *, "mmap", void *, size_t, int, int, int, off_t);
    check_mapping(protection, flags, fd);
    return real(address, length, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset)
{
    REAL(void *, "mmap64", void *, size_t, int, int, int, off64_t);
    check_mapping(protection, flags, fd);
    return real(address, length, protection, flags, fd, offset);
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned flags)
{
    REAL(ssize_t, "copy_file_range", int, off64_t *, int, off64_t *, size_t, unsigned);
    BLIND("copy_file_range", out);
    return real(in, from, out, to, length, flags);
}

ssize_t sendfile64(int out, int in, off64_t *from, size_t length)
{
    REAL(ssize_t, "sendfile64", int, int, off64_t *, size_t);
    BLIND("sendfile", out);
    return real(out, in, from, length);
}
