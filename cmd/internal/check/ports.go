package check

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config"
)

// loopback is where a look binds, so that nothing is open to another machine.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// A pair is a port that a process is to get, and one that it is to be refused.
type pair struct{ allowed, refused uint16 }

// element returns what allows the port in a list of ports.
func element(port uint16) string { return fmt.Sprintf("%s:%d/tcp", loopback, port) }

// request is a bind to a port, as a policy sees it.
func request(port uint16) config.Request {
	return config.Request{
		Operation: config.Bind, Protocol: config.TCP, Addr: loopback, Port: port,
	}
}

// unprivileged is the first port that takes no privilege, unless an administrator says otherwise.
const unprivileged = 1024

// choose returns two ports that nobody uses. policy returns the policy of a process that asks
// for a port: what an administrator allows to nobody is no port to try, and what is
// refused must be refused by the policy.
func choose(policy func(port uint16) (config.Policy, error)) (pair, error) {
	if err := tryBind(0); err != nil {
		return pair{}, fmt.Errorf("bind %s without port-restricter: %w; "+
			"bring the interface up: ip link set lo up", loopback, err)
	}
	var found pair
	said := errors.New("all ports are in use")
	for _, candidate := range rand.Perm(1<<16 - unprivileged) {
		port := uint16(unprivileged + candidate)
		p, err := policy(port)
		if err != nil {
			said = err
			continue
		}
		if d := p.Decide(request(port)); d.Verdict != config.Allow || d.Port != port {
			said = errors.New(d.Reason.String())
			continue
		}
		if tryBind(port) != nil {
			continue
		}
		found.allowed = port
		break
	}
	if found.allowed == 0 {
		return pair{}, fmt.Errorf("no free port is allowed to anybody: %w", said)
	}
	p, err := policy(found.allowed)
	if err != nil {
		return pair{}, err
	}
	for _, candidate := range rand.Perm(1<<16 - unprivileged) {
		port := uint16(unprivileged + candidate)
		if p.Decide(request(port)).Verdict == config.Deny && tryBind(port) == nil {
			found.refused = port
			return found, nil
		}
	}
	return pair{}, errNothingRefused
}

var errNothingRefused = errors.New("the administrator's metadata refuses no port (mode=audit)")

// tryBind binds a port without port-restricter, and gives it back.
func tryBind(port uint16) error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	return unix.Bind(socket, &unix.SockaddrInet4{Port: int(port), Addr: loopback.As4()})
}

// freeLow returns a port that takes CAP_NET_BIND_SERVICE and that this process can bind, or 0 with
// the reason.
func freeLow() (uint16, error) {
	err := error(unix.EADDRINUSE)
	for port := uint16(unprivileged - 1); port > 0 && errors.Is(err, unix.EADDRINUSE); port-- {
		if err = tryBind(port); err == nil {
			return port, nil
		}
	}
	return 0, err
}
