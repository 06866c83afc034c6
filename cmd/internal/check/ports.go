package check

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

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
	if err := tryBind(0); err != nil && !errors.Is(err, unix.EPERM) {
		return pair{}, fmt.Errorf("bind %s without port-restricter: %w; "+
			"bring the interface up: ip link set lo up", loopback, err)
	}
	candidates := shuffled()
	said := errors.New("all ports are in use")
	allowed := slices.IndexFunc(candidates, func(port uint16) bool {
		p, err := policy(port)
		if err != nil {
			said = err
			return false
		}
		d := p.Decide(request(port))
		if d.Verdict != config.Allow {
			said = errors.New(d.Reason.String())
		}
		return d.Verdict == config.Allow && isFree(port)
	})
	if allowed < 0 {
		return pair{}, fmt.Errorf("no free port is allowed to anybody: %w", said)
	}
	p, err := policy(candidates[allowed])
	if err != nil {
		return pair{}, err
	}
	refused := slices.IndexFunc(candidates, func(port uint16) bool {
		return p.Decide(request(port)).Verdict == config.Deny && isFree(port)
	})
	if refused < 0 {
		return pair{}, errNothingRefused
	}
	return pair{candidates[allowed], candidates[refused]}, nil
}

// shuffled returns all ports, those that take a privilege last.
func shuffled() (all []uint16) {
	for _, above := range rand.Perm(1<<16 - unprivileged) {
		all = append(all, uint16(unprivileged+above))
	}
	for _, below := range rand.Perm(unprivileged - 1) {
		all = append(all, uint16(1+below))
	}
	return all
}

var errNothingRefused = errors.New("the administrator's metadata refuses no port (mode=audit)")

// isFree reports whether nobody uses a port, as far as this process can see: it may be restricted
// itself.
func isFree(port uint16) bool {
	err := tryBind(port)
	return err == nil || errors.Is(err, unix.EPERM)
}

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
