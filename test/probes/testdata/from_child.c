// kind: attack
// A forked child and its child.
#include "probe.h"

int main(void)
{
	CHILD(only_allowed(); CHILD(only_allowed()));
}
