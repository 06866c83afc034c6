/*
 * Everything that the probes share: the ways to end, the time limit, and the steps of a
 * bind.
 *
 * A probe is a program that attacks port-restricter, or shows a behaviour that must be the
 * same as on the bare kernel. The comment at the top of a probe says what it does, and has
 * lines of this form, which the Go test reads:
 *
 *   kind: attack      does harm on the bare kernel (status 1), and none under
 *                     port-restricter (status 0)
 *   kind: behaviour   ends with status 0 both on the bare kernel and under port-restricter
 *   ports: 80,5000    the ports that the policy permits, if not 5000
 *   arch: i386        the probe is compiled with -m32, and runs on x86-64 only
 *   arch: x86         the probe runs on x86-64 only
 *   compare: stdout   must print the same under port-restricter as on the bare kernel, run
 *                     by the same user
 *   expect WAY: 3     the right status in one way of running under port-restricter, if not
 *                     0 (0|3: either)
 *   expect WAY before 6.9: 3
 *                     the same, on a kernel before Linux 6.9
 */
#ifndef PROBE_H
#define PROBE_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define IP_LOCAL_PORT_RANGE 51
/*
 * A value of IP_LOCAL_PORT_RANGE. The kernel heeds it only inside of the sysctl
 * ip_local_port_range, by default 32768 to 60999.
 */
#define RANGE(from, to) ((uint32_t)(to) << 16 | (from))

enum { ALLOWED = 5000, FORBIDDEN = 5001 };

/*
 * The ways to end. The numbers are exit statuses, which the Go test knows too. A probe ends by
 * _exit(2), since exit(3) is not safe while other threads run or other processes share memory.
 */
enum { BROKEN_ = 1, SETUP_ = 2, WRONG_ = 3, NOT_APPLICABLE_ = 77 };

__attribute__((noreturn, format(printf, 2, 3), unused))
static void verdict(int code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fflush(stdout);
	vdprintf(2, format, args);
	_exit(code);
}
#define SAY_(code, what, format, ...) \
	verdict(code, what ": %s:%d: " format "\n", __FILE__, __LINE__, ##__VA_ARGS__)
/* The attack did harm. */
#define BROKEN(...) SAY_(BROKEN_, "broken", __VA_ARGS__)
/* The probe itself could not run. */
#define SETUP(...) SAY_(SETUP_, "set-up failed", __VA_ARGS__)
/* A result is not the expected one, which is mostly that of the bare kernel. */
#define WRONG(...) SAY_(WRONG_, "wrong", __VA_ARGS__)
/* The kernel does not have what the probe is about, or the caller may not use it. */
#define NOT_APPLICABLE(...) SAY_(NOT_APPLICABLE_, "not applicable", __VA_ARGS__)

#define OR_(verdict_, x) \
	({ __typeof__(x) r_ = (x); if (r_ == (__typeof__(x))-1) verdict_("%s: %m", #x); r_; })
/* A call that the probe itself needs. */
#define MUST(x) OR_(SETUP, x)
/* A call that works on the bare kernel, and must work here. */
#define WORKS(x) OR_(WRONG, x)
/* A call that must fail with the errno expected. */
#define FAILS(x, expected) \
	do { \
		errno = 0; \
		if ((x) != -1) WRONG("%s worked; expected %s", #x, #expected); \
		if (errno != (expected)) WRONG("%s: %m; expected %s", #x, #expected); \
	} while (0)

__attribute__((unused)) static void hung(int sig)
{
	(void)sig;
	static const char message[] = "set-up failed: the probe did not end in time\n";
	(void)!write(2, message, sizeof message - 1);
	_exit(SETUP_);
}

/*
 * Returns how long something takes here, in the unit of time, that takes so long on a real machine.
 * SLOWNESS is by how much this one is slower, since it is emulated.
 */
static inline int at_most(int time)
{
	const char *slowness = getenv("SLOWNESS");
	return time * (slowness ? atoi(slowness) : 1);
}

/* Runs before main: the probe has 20 seconds. */
__attribute__((constructor)) static void begin(void)
{
	/* The tests may have been started with signals ignored or blocked. */
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGALRM, hung);
	alarm(at_most(20));
	setvbuf(stdout, NULL, _IOLBF, 0);
}

static inline double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}
/* Repeats a statement for 2 seconds, the time that a race gets to be won. */
#define FOR_A_WHILE for (double end_ = now() + 2; now() < end_;)

/* Processes and threads */

/* Forks a child that ends with this process. */
static inline pid_t child(void)
{
	pid_t pid = MUST(fork());
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(at_most(20));
	}
	return pid;
}

/* Waits for a child, and returns its status as a shell does. */
static inline int status_of(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			SETUP("waitpid: %m");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Waits for a child. If the child failed, this process ends with the child's status. */
static inline void join(pid_t pid)
{
	int code = status_of(pid);
	if (code)
		_exit(code);
}

/* Runs the statements in a child, and joins it. */
#define CHILD(...) \
	do { \
		pid_t p_ = child(); \
		if (!p_) { \
			__VA_ARGS__; \
			fflush(stdout); \
			_exit(0); \
		} \
		join(p_); \
	} while (0)

static inline pthread_t thread(void *(*run)(void *), void *arg)
{
	pthread_t t;
	if ((errno = pthread_create(&t, NULL, run, arg)))
		SETUP("pthread_create: %m");
	return t;
}

/* The start routine of a thread that does nothing. */
static inline void *idle(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* For messages: how the process is set up. */
__attribute__((unused)) static const char *situation = "with one thread";

/*
 * Runs check in a process with one thread, then in a process with two. The supervisor takes
 * different ways for them: it never lets the kernel run a call itself (with the arguments in
 * the target's memory) while another thread shares the file table.
 */
#define WITH_ONE_AND_TWO_THREADS(check) \
	do { \
		CHILD(check); \
		CHILD(situation = "with two threads"; thread(idle, NULL); check); \
	} while (0)

/* Memory that this process shares with the children that it forks from now on. */
static inline void *shared(size_t size)
{
	return MUST(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

/* Drops all capabilities but those of mask. */
static inline void keep_caps(uint32_t mask)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];
	MUST(syscall(SYS_capget, &header, data));
	data[0].effective = data[0].permitted &= mask;
	data[1].effective = data[1].permitted = data[0].inheritable = data[1].inheritable = 0;
	MUST(syscall(SYS_capset, &header, data));
}

/*
 * Loads a seccomp filter that takes an action for one system call and allows all others. The
 * result of seccomp(2) goes to *listener: with SECCOMP_FILTER_FLAG_NEW_LISTENER an fd.
 */
static inline void filter(unsigned nr, unsigned action, unsigned flags, int *listener)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	*listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/*
 * Enters a new mount namespace, whose mounts reach no other. An ordinary user's is in a new user
 * namespace, where the user keeps the ids.
 */
static inline void enter_mount_namespace(void)
{
	uid_t uid = geteuid(), gid = getegid();
	if (unshare(CLONE_NEWNS)) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
			NOT_APPLICABLE("a mount namespace: %m");
		MUST(write(MUST(open("/proc/self/setgroups", O_WRONLY)), "deny", 4));
		MUST(dprintf(MUST(open("/proc/self/uid_map", O_WRONLY)), "%d %d 1", uid, uid));
		MUST(dprintf(MUST(open("/proc/self/gid_map", O_WRONLY)), "%d %d 1", gid, gid));
	}
	MUST(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

/* Sockets */

union addr {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_nl nl;
	struct sockaddr_storage room;
	unsigned char bytes[128];
};

/* A socket. The probe is not applicable if the kernel has no such protocol. */
static inline int sock(int domain, int type, int protocol)
{
	int fd = socket(domain, type, protocol), on = 1;
	if (fd < 0 && (errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT))
		NOT_APPLICABLE("socket(%d, %d, %d): %m", domain, type, protocol);
	MUST(fd);
	if (type == SOCK_STREAM && (domain == AF_INET || domain == AF_INET6))
		MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
	return fd;
}

/* Returns whether the kernel has a protocol, for a probe that is about others as well. */
static inline int has(int domain, int type, int protocol)
{
	int fd = socket(domain, type, protocol);
	if (fd < 0 && errno == EPROTONOSUPPORT)
		return 0;
	close(MUST(fd));
	return 1;
}

/* Enters a new network namespace, in a new user namespace, and sets its lo up. */
static inline void enter_net_namespace(void)
{
	MUST(unshare(CLONE_NEWUSER | CLONE_NEWNET));
	struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	MUST(ioctl(sock(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &up));
}

static inline union addr loopback(int domain, int port)
{
	union addr a = {.any.sa_family = domain};
	a.in.sin_port = htons(port);
	if (domain == AF_INET6)
		a.in6.sin6_addr = in6addr_loopback;
	else
		a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static inline socklen_t size_of(int domain)
{
	return domain == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static inline int option(int fd, int name)
{
	int value;
	socklen_t length = sizeof value;
	MUST(getsockopt(fd, SOL_SOCKET, name, &value, &length));
	return value;
}

static inline int bind_port(int fd, int port)
{
	int domain = option(fd, SO_DOMAIN);
	union addr a = loopback(domain, port);
	return bind(fd, &a.any, size_of(domain));
}

/* Returns the local port, or 0 if the socket is not bound. */
static inline int port_of(int fd)
{
	union addr a = {0};
	socklen_t length = sizeof a;
	MUST(getsockname(fd, &a.any, &length));
	return ntohs(a.in.sin_port);
}

/* Reports whether a TCP client reaches the port. */
static inline int reached(int domain, int port)
{
	int fd = MUST(socket(domain, SOCK_STREAM, 0));
	union addr a = loopback(domain, port);
	int ok = connect(fd, &a.any, size_of(domain)) == 0;
	close(fd);
	return ok;
}

/* Ends as BROKEN if the socket is bound to a port other than ALLOWED. */
static inline void no_harm(int fd)
{
	int port = port_of(fd), domain = option(fd, SO_DOMAIN);
	if (port && port != ALLOWED)
		BROKEN("the socket is bound to port %d%s", port,
		       option(fd, SO_ACCEPTCONN) && reached(domain, port) ?
		       ", where a client reached it" : "");
}

/*
 * Checks the result of a call that the policy must refuse: it failed with EPERM, and nothing is
 * bound.
 */
static inline void refused(int fd, int result)
{
	int error = errno;
	if (result == 0 && option(fd, SO_TYPE) == SOCK_STREAM)
		listen(fd, 1);
	no_harm(fd);
	if (result == 0)
		WRONG("the call worked, but bound nothing; expected EPERM");
	if (error != EPERM)
		WRONG("the call failed with %s; expected EPERM", strerrorname_np(error));
}

/* For probes of IP_LOCAL_PORT_RANGE. */
static inline void needs_port_ranges(void)
{
	int fd = sock(AF_INET, SOCK_DGRAM, 0);
	uint32_t range;
	socklen_t length = sizeof range;
	if (getsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, &length) < 0)
		NOT_APPLICABLE("IP_LOCAL_PORT_RANGE: %m");
	close(fd);
}

static inline void bind_forbidden(int fd)
{
	refused(fd, bind_port(fd, FORBIDDEN));
}

/* Checks that this process can bind the allowed port, and no other. */
static inline void only_allowed(void)
{
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	WORKS(bind_port(fd, ALLOWED));
	if (port_of(fd) != ALLOWED)
		WRONG("bound to port %d, not to the allowed one", port_of(fd));
	WORKS(listen(fd, 8));
	if (!reached(AF_INET, ALLOWED))
		WRONG("no client can reach the listener at port %d", ALLOWED);
	close(fd);
	fd = sock(AF_INET, SOCK_STREAM, 0);
	bind_forbidden(fd);
	close(fd);
}

/* Prints the result of a call, for a probe with compare: stdout. */
#define SHOW(x) show(#x, (errno = 0, (x)))
static inline void show(const char *what, long result)
{
	printf("%s: %s: %s\n", situation, what, result == -1 ? strerrorname_np(errno) : "works");
}

/*
 * Makes an AF_UNIX address, and returns its length. With a path of 13 characters or more it has at
 * least 16 bytes, so that the filter sends the bind(2) to the supervisor.
 */
static inline socklen_t unix_addr(union addr *a, const char *path)
{
	memset(a, 0, sizeof *a);
	a->any.sa_family = AF_UNIX;
	int length = snprintf(a->un.sun_path, sizeof a->un.sun_path, "%s", path);
	return offsetof(struct sockaddr_un, sun_path) + length + 1;
}

/* Returns whom a client of an AF_UNIX listener of this process gets by SO_PEERCRED. */
static inline struct ucred peer_of_listener(void)
{
	int fd = sock(AF_UNIX, SOCK_STREAM, 0), client = sock(AF_UNIX, SOCK_STREAM, 0);
	union addr a;
	socklen_t length = unix_addr(&a, "./socket-for-peercred");
	WORKS(bind(fd, &a.any, length));
	WORKS(listen(fd, 1));
	WORKS(connect(client, &a.any, length));
	MUST(unlink("./socket-for-peercred"));
	struct ucred peer = {0};
	socklen_t size = sizeof peer;
	WORKS(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size));
	close(fd);
	close(client);
	return peer;
}

static inline int bind_unix(int fd, const char *path)
{
	union addr a;
	socklen_t length = unix_addr(&a, path);
	return bind(fd, &a.any, length);
}

/*
 * For attacks that swap the socket behind an fd. The fd SWAPPED is an AF_UNIX socket, which has
 * no port, and an internet socket in turn. A supervisor that has seen the AF_UNIX socket must not
 * let the call through, since the kernel could find the internet socket by then. An attack by
 * bind(2) takes SOCK_DGRAM, because the command line's second lock, Landlock, restricts binds of
 * UDP only since its ABI 10.
 */
enum { SWAPPED = 200 };
struct swap {
	int unix_fd, inet_fd;
};

static inline struct swap swap_sockets(int type)
{
	struct swap s = {sock(AF_UNIX, type, 0), sock(AF_INET, type, 0)};
	union addr autobind = {.any.sa_family = AF_UNIX};
	MUST(bind(s.unix_fd, &autobind.any, sizeof(sa_family_t)));
	MUST(dup2(s.unix_fd, SWAPPED));
	return s;
}

static inline void swap_once(const struct swap *s)
{
	dup2(s->inet_fd, SWAPPED);
	dup2(s->unix_fd, SWAPPED);
}

/* Calls bind(2) or listen(2) again and again, while something else calls swap_once. */
static inline void bind_swapped(const struct swap *s)
{
	union addr a = loopback(AF_INET, FORBIDDEN);
	FOR_A_WHILE {
		bind(SWAPPED, &a.any, sizeof a.in);
		no_harm(s->inet_fd);
	}
}

static inline void listen_swapped(const struct swap *s)
{
	FOR_A_WHILE {
		listen(SWAPPED, 1);
		no_harm(s->inet_fd);
	}
}

/*
 * For attacks that call listen(2) on a socket whose port connect(2) has picked. The thread
 * dissolve disconnects the socket dissolving (connect(2) with AF_UNSPEC) at a random moment
 * around the call, then sets dissolving to -1.
 */
static volatile int dissolving = -1;

static inline void *dissolve(void *arg)
{
	union addr none = {.any.sa_family = AF_UNSPEC};
	for (;;) {
		while (dissolving < 0)
			;
		for (volatile int wait = rand() % 40000; wait > 0; wait--)
			;
		connect(dissolving, &none.any, sizeof none.in);
		dissolving = -1;
	}
	return arg;
}

static inline void listen_dissolved(int fd)
{
	dissolving = fd;
	while (listen(fd, 1) < 0 && dissolving >= 0)
		;
	while (dissolving >= 0)
		;
}

/*
 * Sends SIGUSR1 to this process without end, from a child. A timer of this process would send
 * signals only while this process runs.
 */
static inline void nothing(int sig) { (void)sig; }

static inline void storm(int flags, int pause)
{
	struct sigaction action = {.sa_handler = nothing, .sa_flags = flags};
	MUST(sigaction(SIGUSR1, &action, NULL));
	pid_t target = getpid();
	int longest = at_most(pause); /* in microseconds */
	if (child() == 0)
		for (;;) {
			kill(target, SIGUSR1);
			usleep(rand() % longest);
		}
}

#endif
