// kind: attack
// After an execve(2), from a process with threads.
#include "probe.h"

int main(int argc, char **argv)
{
	if (argc == 2)
		only_allowed();
	else {
		thread(idle, NULL);
		MUST(execl("/proc/self/exe", argv[0], "again", NULL));
	}
}
