// kind: attack
#include "probe.h"

int main(void) { bind_forbidden(sock(AF_INET6, SOCK_STREAM, 0)); }
