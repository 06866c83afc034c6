// kind: attack
// A network namespace of its own.
#include "probe.h"

int main(void)
{
	enter_net_namespace();
	only_allowed();
}
