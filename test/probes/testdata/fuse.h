/* A FUSE file system of one file, f, whose close(2) waits for us as we like. */
#ifndef FUSE_H
#define FUSE_H
#include "probe.h"
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/uio.h>

static int fuse_fd = -1;
/* Says whether a close by the owner of this file table may go on. */
static int (*fuse_lets_close)(uint64_t owner);

static inline void fuse_answer(const struct fuse_in_header *in, int error, void *data, size_t size)
{
	struct fuse_out_header out = {sizeof out + size, error, in->unique};
	struct iovec parts[] = {{&out, sizeof out}, {data, size}};
	(void)!writev(fuse_fd, parts, 2);
}

static inline void *fuse_serve(void *arg)
{
	static union {
		char room[1 << 17];
		struct fuse_in_header in;
	} request;
	struct fuse_in_header *in = &request.in;
	for (;;) {
		if (read(fuse_fd, &request, sizeof request) < 0) {
			if (errno == EINTR || errno == ENOENT)
				continue;
			return arg;
		}
		struct fuse_attr attr = {.ino = in->nodeid, .nlink = 1, .mode = in->nodeid == FUSE_ROOT_ID ? S_IFDIR | 0777 : S_IFREG | 0777};
		switch (in->opcode) {
		case FUSE_INIT:
			fuse_answer(in, 0, &(struct fuse_init_out){.major = 7, .minor = 31, .max_write = 4096}, sizeof(struct fuse_init_out));
			break;
		case FUSE_GETATTR:
			fuse_answer(in, 0, &(struct fuse_attr_out){.attr_valid = 1000, .attr = attr}, sizeof(struct fuse_attr_out));
			break;
		case FUSE_LOOKUP:
			attr.ino = 2, attr.mode = S_IFREG | 0777;
			fuse_answer(in, 0, &(struct fuse_entry_out){.nodeid = 2, .entry_valid = 1000, .attr_valid = 1000, .attr = attr},
			            sizeof(struct fuse_entry_out));
			break;
		case FUSE_OPEN:
			fuse_answer(in, 0, &(struct fuse_open_out){.fh = 1}, sizeof(struct fuse_open_out));
			break;
		case FUSE_FLUSH:
			if (fuse_lets_close(((struct fuse_flush_in *)(in + 1))->lock_owner))
				fuse_answer(in, 0, NULL, 0);
			break;
		case FUSE_FORGET:
		case FUSE_BATCH_FORGET:
		case FUSE_INTERRUPT:
			break;
		default:
			fuse_answer(in, -ENOSYS, NULL, 0);
		}
	}
}

/* Mounts it on DIR, in a mount namespace of our own. What hangs on it is let go when we end. */
static inline void fuse_mount(const char *dir, int (*lets_close)(uint64_t))
{
	char options[128];
	fuse_lets_close = lets_close;
	fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse_fd < 0)
		NOT_APPLICABLE("/dev/fuse: %m");
	if (unshare(CLONE_NEWNS))
		NOT_APPLICABLE("a mount namespace: %m");
	MUST(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(mkdir(dir, 0777));
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%d,group_id=%d", fuse_fd, getuid(), getgid());
	MUST(mount("probe", dir, "fuse", 0, options));
	thread(fuse_serve, NULL);
}

#endif
