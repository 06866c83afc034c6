/*
 * A FUSE file system with the files 0 to 9, of one page each, served by a thread of this
 * process. The probe decides when a close or a read of a file may end.
 */
#ifndef FUSE_H
#define FUSE_H
#include "probe.h"
#include <linux/fuse.h>
#include <sys/uio.h>

static int fuse_fd = -1;
/* Called at each close of a file, with an id of the closing file table. 0: the close hangs. */
static int (*fuse_lets_close)(int file, uint64_t owner);
/* Called at each read of a file. The read waits until fuse_read is called. */
static void (*fuse_holds_read)(int file);
static struct fuse_in_header fuse_reads[10]; /* the reads that wait */

static inline void fuse_answer(const struct fuse_in_header *in, int error, void *data, size_t size)
{
	struct fuse_out_header out = {sizeof out + size, error, in->unique};
	struct iovec parts[] = {{&out, sizeof out}, {data, size}};
	(void)!writev(fuse_fd, parts, 2);
}

/* Answers the read of a file that waits, with an address at the start of the page. */
static inline void fuse_read(int file, const union addr *content)
{
	static char page[4096];
	memcpy(page, content, sizeof *content);
	fuse_answer(&fuse_reads[file], 0, page, sizeof page);
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
		struct fuse_attr attr = {
			.ino = in->nodeid,
			.nlink = 1,
			.size = 4096,
			.mode = in->nodeid == FUSE_ROOT_ID ? S_IFDIR | 0777 : S_IFREG | 0777,
		};
		struct fuse_init_out init = {.major = 7, .minor = 31, .max_write = 4096};
		struct fuse_attr_out attributes = {.attr_valid = 1000, .attr = attr};
		struct fuse_entry_out entry = {.entry_valid = 1000, .attr_valid = 1000, .attr = attr};
		switch (in->opcode) {
		case FUSE_INIT:
			fuse_answer(in, 0, &init, sizeof init);
			break;
		case FUSE_GETATTR:
			fuse_answer(in, 0, &attributes, sizeof attributes);
			break;
		case FUSE_LOOKUP:
			entry.nodeid = entry.attr.ino = 2 + *(char *)(in + 1) - '0';
			entry.attr.mode = S_IFREG | 0777;
			fuse_answer(in, 0, &entry, sizeof entry);
			break;
		case FUSE_OPEN:
			fuse_answer(in, 0, &(struct fuse_open_out){.fh = 1}, sizeof(struct fuse_open_out));
			break;
		case FUSE_FLUSH:
			if (fuse_lets_close(in->nodeid - 2, ((struct fuse_flush_in *)(in + 1))->lock_owner))
				fuse_answer(in, 0, NULL, 0);
			break;
		case FUSE_READ:
			fuse_reads[in->nodeid - 2] = *in;
			fuse_holds_read(in->nodeid - 2);
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

/*
 * Mounts the file system on dir, in a mount namespace of this process. When this process ends,
 * every call that hangs on the file system fails.
 */
static inline void fuse_mount(const char *dir, int (*lets_close)(int, uint64_t))
{
	char options[128];
	fuse_lets_close = lets_close;
	if (access("/dev/fuse", R_OK | W_OK))
		NOT_APPLICABLE("/dev/fuse: %m");
	enter_mount_namespace();
	fuse_fd = MUST(open("/dev/fuse", O_RDWR | O_CLOEXEC));
	MUST(mkdir(dir, 0777));
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%d,group_id=%d", fuse_fd,
		 getuid(), getgid());
	MUST(mount("probe", dir, "fuse", 0, options));
	thread(fuse_serve, NULL);
}

#endif
