// kind: attack
#include "probe.h"

int main(void) { bind_forbidden(sock(AF_INET, SOCK_DGRAM, 0)); }
