/*
 * Asks for one bind after another in each of several threads, until it gets SIGTERM or its time is
 * over, and prints what came of them as JSON. Every answer must be that of the bare kernel for what the
 * policy permits, and EPERM for what it does not.
 * usage: storm PORT SECONDS. PORT is permitted, and PORT + 1 is not.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int port;
static volatile sig_atomic_t over;

struct count {
	const char *name;
	void (*once)(struct count *);
	long asked, wrong;
	double longest;
	char first[128]; /* the first wrong answer */
};

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Counts a call with its result. wanted is the errno that is right, or 0. */
static void counted(struct count *c, const char *what, double began, int result, int wanted)
{
	int got = result < 0 ? errno : 0;
	double took = now() - began;
	c->asked++;
	if (took > c->longest)
		c->longest = took;
	if (got == wanted)
		return;
	if (!c->wrong++)
		snprintf(c->first, sizeof c->first, "call %ld, %s: %s", c->asked, what,
			 got ? strerrorname_np(got) : "works");
}

static int internet(int type)
{
	int fd = socket(AF_INET, type, 0), on = 1;
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	return fd;
}

static int bind_to(int fd, int number)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(number)};
	return bind(fd, (struct sockaddr *)&a, sizeof a);
}

static void tcp(struct count *c)
{
	int fd = internet(SOCK_STREAM);
	double began = now();
	int bound = bind_to(fd, port);
	counted(c, "bind", began, bound, 0);
	/* One that was refused the bind is refused this, too, as one without a port. */
	if (bound == 0) {
		began = now();
		counted(c, "listen", began, listen(fd, 8), 0);
	}
	close(fd);
}

static void udp(struct count *c)
{
	int fd = internet(SOCK_DGRAM);
	double began = now();
	counted(c, "bind", began, bind_to(fd, port), 0);
	close(fd);
}

static void denied(struct count *c)
{
	int fd = internet(SOCK_STREAM);
	double began = now();
	counted(c, "bind", began, bind_to(fd, port + 1), EPERM);
	close(fd);
}

static void picked(struct count *c)
{
	int fd = internet(SOCK_STREAM);
	double began = now();
	counted(c, "bind", began, bind_to(fd, 0), 0);
	began = now();
	counted(c, "listen", began, listen(fd, 8), EPERM);
	close(fd);
}

static void path(struct count *c)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(a.sun_path, sizeof a.sun_path, "/tmp/a-storm-socket-%d", getpid());
	double began = now();
	counted(c, "bind", began, bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	close(fd);
	unlink(a.sun_path);
}

static struct count counts[] = {
	{.name = "tcp", .once = tcp}, {.name = "udp", .once = udp},
	{.name = "denied", .once = denied}, {.name = "picked", .once = picked},
	{.name = "unix", .once = path},
};
enum { KINDS = sizeof counts / sizeof *counts };

static void *storm(void *count)
{
	struct count *c = count;
	while (!over)
		c->once(c);
	return NULL;
}

static void stop(int sig)
{
	(void)sig;
	over = 1;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	port = atoi(argv[1]);
	struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	alarm(atoi(argv[2]));
	pthread_t threads[KINDS];
	for (int i = 0; i < KINDS; i++)
		pthread_create(&threads[i], NULL, storm, &counts[i]);
	for (int i = 0; i < KINDS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < KINDS; i++)
		printf("{\"name\": \"%s\", \"asked\": %ld, \"wrong\": %ld, \"longest\": %.6f, "
		       "\"first\": \"%s\"}\n", counts[i].name, counts[i].asked, counts[i].wrong,
		       counts[i].longest, counts[i].first);
}
