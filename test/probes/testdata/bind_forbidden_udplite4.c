/*
 * kind: attack
 *
 * bind(2) of a UDP-Lite socket over IPv4 to a forbidden port.
 *
 * Bare kernel: binds the port. port-restricter: EPERM, and nothing is bound.
 */
#include "probe.h"

int main(void) { bind_forbidden(sock(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE)); }
