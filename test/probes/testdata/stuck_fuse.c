/*
 * kind: behaviour
 *
 * A FUSE file system has a server that never answers. One thread binds an AF_UNIX
 * socket to a path on it. Another thread binds an internet socket with an address in a
 * file on it.
 *
 * Bare kernel and port-restricter: these two binds wait, until the server has gone. A
 * bind of another process works.
 */
#include "probe.h"

#include <linux/fuse.h>

/*
 * The file system has one file, PAGE. The server never answers a read of PAGE, nor a lookup
 * of any other name.
 */
static void serve(int fd)
{
	static struct { struct fuse_in_header head; char rest[1 << 16]; } in;
	for (;;) {
		if (read(fd, &in, sizeof in) < 0) {
			if (errno == ENODEV)
				_exit(0);
			continue;
		}
		struct {
			struct fuse_out_header head;
			union {
				struct fuse_init_out init;
				struct fuse_entry_out entry;
				struct fuse_attr_out attr;
				struct fuse_open_out open;
			};
		} out = {.head.unique = in.head.unique};
		struct fuse_attr dir = {.ino = 1, .mode = S_IFDIR | 0755, .nlink = 1};
		struct fuse_attr file = {.ino = 2, .mode = S_IFREG | 0644, .nlink = 1, .size = 4096};
		size_t length = 0;
		switch (in.head.opcode) {
		case FUSE_INIT:
			out.init = (struct fuse_init_out){
				.major = FUSE_KERNEL_VERSION,
				.minor = FUSE_KERNEL_MINOR_VERSION,
				.max_write = 4096,
			};
			length = sizeof out.init;
			break;
		case FUSE_LOOKUP:
			if (strcmp(in.rest, "PAGE"))
				continue;
			out.entry = (struct fuse_entry_out){.nodeid = 2, .attr = file};
			length = sizeof out.entry;
			break;
		case FUSE_GETATTR:
			out.attr.attr = in.head.nodeid == 1 ? dir : file;
			length = sizeof out.attr;
			break;
		case FUSE_OPEN:
			length = sizeof out.open;
			break;
		case FUSE_READ:
			continue;
		default:
			out.head.error = -ENOSYS;
		}
		out.head.len = sizeof out.head + length;
		(void)!write(fd, &out, out.head.len);
	}
}

static int over; /* the server is being killed, so the binds may fail from now on */

static void *bind_path(void *dir)
{
	int fd = sock(AF_UNIX, SOCK_STREAM, 0);
	union addr a;
	char path[64];
	snprintf(path, sizeof path, "%s/socket", (char *)dir);
	if (bind(fd, &a.any, unix_addr(&a, path)) == 0 || !__atomic_load_n(&over, __ATOMIC_SEQ_CST))
		WRONG("a bind to a path on a file system that does not answer returned: %m");
	return NULL;
}

static void *bind_page(void *page)
{
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	if (bind(fd, page, sizeof(struct sockaddr_in)) == 0 ||
	    !__atomic_load_n(&over, __ATOMIC_SEQ_CST))
		WRONG("a bind with an address on a page that never comes returned: %m");
	return NULL;
}

int main(void)
{
	if (access("/dev/fuse", R_OK | W_OK))
		NOT_APPLICABLE("/dev/fuse: %m");
	enter_mount_namespace();
	int device = MUST(open("/dev/fuse", O_RDWR | O_CLOEXEC));
	char dir[] = "/tmp/stuck-XXXXXX", options[64], path[64];
	MUST(-!mkdtemp(dir));
	snprintf(options, sizeof options, "fd=%d,rootmode=40755,user_id=%d,group_id=%d", device,
		 getuid(), getgid());
	MUST(mount("stuck", dir, "fuse", MS_NODEV | MS_NOSUID, options));
	pid_t server = child();
	if (server == 0)
		serve(device);
	close(device);
	snprintf(path, sizeof path, "%s/PAGE", dir);
	int file = MUST(open(path, O_RDONLY));
	void *page = MUST(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0));
	pthread_t path_thread = thread(bind_path, dir), page_thread = thread(bind_page, page);
	usleep(300000);
	double start = now();
	CHILD(
		int fd = sock(AF_INET, SOCK_STREAM, 0);
		WORKS(bind_port(fd, ALLOWED));
		WORKS(listen(fd, 1)));
	if (now() - start > at_most(5))
		WRONG("bind and listen of another process took %.1f s", now() - start);
	__atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
	kill(server, SIGKILL);
	status_of(server);
	pthread_join(path_thread, NULL);
	pthread_join(page_thread, NULL);
	MUST(umount2(dir, MNT_DETACH));
	MUST(rmdir(dir));
	return 0;
}
