/*
 * kind: attack
 *
 * bind(2) of an SCTP socket over IPv4 to a forbidden port.
 *
 * Bare kernel: binds the port. port-restricter: EPERM, and nothing is bound.
 */
#include "probe.h"

int main(void) { bind_forbidden(sock(AF_INET, SOCK_STREAM, IPPROTO_SCTP)); }
