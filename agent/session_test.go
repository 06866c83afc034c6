package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/target"
	"github.com/port-restricter/port-restricter/config"
)

// fakeNotifier answers for the kernel; withdrawn ids are those nobody waits for.
type fakeNotifier struct {
	withdrawn map[uint64]bool
	answers   []response
}

func (k *fakeNotifier) receive(*notification) error { return unix.ENOENT }
func (k *fakeNotifier) valid(id uint64) bool        { return !k.withdrawn[id] }
func (k *fakeNotifier) respond(r *response) error {
	k.answers = append(k.answers, *r)
	if k.withdrawn[r.ID] {
		return unix.ENOENT
	}
	return nil
}

// fakeTarget has one socket, whatever fd is asked for, and one page of memory.
type fakeTarget struct {
	memory    []byte
	onSocket  func() (int, error)
	onRead    func()
	alone     bool
	elsewhere bool // in another user namespace
	actedWith []byte
	actErr    error
}

func (t *fakeTarget) Read(addr uint64, p []byte) error {
	if t.onRead != nil {
		t.onRead()
	}
	if addr > uint64(len(t.memory)) || copy(p, t.memory[addr:]) < len(p) {
		return unix.EFAULT
	}
	return nil
}
func (t *fakeTarget) Socket(int) (int, error)    { return t.onSocket() }
func (t *fakeTarget) OwnsFileTable() bool        { return t.alone }
func (t *fakeTarget) InOtherUserNamespace() bool { return t.elsewhere }
func (t *fakeTarget) Close()                     {}
func (t *fakeTarget) MakeCall(c target.Call, valid func() bool) error {
	if !valid() {
		return target.ErrWithdrawn
	}
	t.actedWith = append([]byte{}, c.Argument...)
	return t.actErr
}

func socketOf(t *testing.T, domain, typ int) func() (int, error) {
	t.Helper()
	original, err := unix.Socket(domain, typ|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(original) })
	return func() (int, error) { return unix.FcntlInt(uintptr(original), unix.F_DUPFD_CLOEXEC, 0) }
}

func ipv4(family uint16, port uint16, rest ...byte) []byte {
	sockaddr := make([]byte, 16)
	binary.NativeEndian.PutUint16(sockaddr, family)
	binary.BigEndian.PutUint16(sockaddr[2:], port)
	copy(sockaddr[4:], rest)
	return sockaddr
}

func newFakeSession(t *testing.T, ports string, fake *fakeTarget) (*session, *fakeNotifier) {
	t.Helper()
	policy, err := config.ParsePolicy(ports, "", "")
	require.NoError(t, err)
	kernel := &fakeNotifier{withdrawn: map[uint64]bool{}}
	return &session{
		notifier: kernel, policy: policy, audit: newAudit(quietLog().WithField("container", "c1")),
		open: func(*target.Cache, uint32) (targetThread, error) { return fake, nil },
	}, kernel
}

func bindNotification(id uint64, length int) *notification {
	return &notification{ID: id, PID: 42, Arch: unix.AUDIT_ARCH_X86_64, NR: 49, Args: [6]uint64{3, 0, uint64(length)}}
}

// freePort is one that no socket of this type is bound to now.
func freePort(t *testing.T, typ int) uint16 {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, typ, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{}))
	at, err := localAddress(fd)
	require.NoError(t, err)
	return at.Port()
}

func TestASessionAnswersEPERMForWhatIsNotAllowed(t *testing.T) {
	for _, c := range []struct {
		name string
		n    *notification
	}{
		{"forbidden port", bindNotification(1, 16)},
		{"a syscall the filter never asks about", &notification{ID: 1, PID: 42, Arch: unix.AUDIT_ARCH_X86_64, NR: 1}},
		{"an unknown architecture", &notification{ID: 1, PID: 42, Arch: 77, NR: 49}},
		{"an unknown socketcall", &notification{ID: 1, PID: 42, Arch: unix.AUDIT_ARCH_I386, NR: 102, Args: [6]uint64{3}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, kernel := newFakeSession(t, "1", &fakeTarget{memory: ipv4(unix.AF_INET, freePort(t, unix.SOCK_STREAM)), onSocket: socketOf(t, unix.AF_INET, unix.SOCK_STREAM)})
			s.handle(c.n, &workspace{neutral: true})
			require.Equal(t, []response{{ID: 1, Error: -int32(unix.EPERM)}}, kernel.answers)
		})
	}
}

func TestAnInvisibleTargetIsRefused(t *testing.T) {
	s, kernel := newFakeSession(t, "0", nil)
	s.open = func(*target.Cache, uint32) (targetThread, error) { return nil, errors.New("not visible") }
	s.handle(bindNotification(1, 16), &workspace{neutral: true})
	require.Equal(t, []response{{ID: 1, Error: -int32(unix.EPERM)}}, kernel.answers)
}

// The order is bind(2)'s own: the fd, the length, the memory.
func TestErrorsComeInTheKernelsOrder(t *testing.T) {
	notASocket := func() (int, error) { return unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0) }
	closed := func() (int, error) { return -1, unix.EBADF }
	for _, c := range []struct {
		name   string
		socket func() (int, error)
		length int
		want   unix.Errno
	}{
		{"closed fd before bad memory", closed, 100, unix.EBADF},
		{"no socket before bad length", notASocket, 4096, unix.ENOTSOCK},
		{"length before memory", socketOf(t, unix.AF_INET, unix.SOCK_STREAM), 129, unix.EINVAL},
		{"negative length", socketOf(t, unix.AF_INET, unix.SOCK_STREAM), -1, unix.EINVAL},
		{"memory", socketOf(t, unix.AF_INET, unix.SOCK_STREAM), 128, unix.EFAULT},
		{"short", socketOf(t, unix.AF_INET, unix.SOCK_STREAM), 15, unix.EINVAL},
		{"short for IPv6", socketOf(t, unix.AF_INET6, unix.SOCK_STREAM), 16, unix.EINVAL},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, kernel := newFakeSession(t, "0", &fakeTarget{memory: ipv4(unix.AF_INET, 0), onSocket: c.socket})
			s.handle(bindNotification(1, c.length), &workspace{neutral: true})
			require.Equal(t, []response{{ID: 1, Error: -int32(c.want)}}, kernel.answers)
		})
	}
}

func TestNothingIsBoundForAThreadThatIsGone(t *testing.T) {
	socket := socketOf(t, unix.AF_INET, unix.SOCK_STREAM)
	target := &fakeTarget{memory: ipv4(unix.AF_INET, 0), onSocket: socket}
	s, kernel := newFakeSession(t, "0", target)
	target.onRead = func() { kernel.withdrawn[1] = true } // its id is somebody else's from here on
	s.handle(bindNotification(1, 16), &workspace{neutral: true})
	fd, err := socket()
	require.NoError(t, err)
	defer unix.Close(fd)
	at, err := localAddress(fd)
	require.NoError(t, err)
	require.Zero(t, at.Port())
}

func TestARestartedBindSeesTheResultOfTheFirstOnce(t *testing.T) {
	target := &fakeTarget{memory: ipv4(unix.AF_INET, 0), onSocket: socketOf(t, unix.AF_INET, unix.SOCK_STREAM)}
	s, kernel := newFakeSession(t, "0", target)
	// The signal comes between act and answer: valid when looked at, gone when answered.
	withdrawing := &withdrawOnRespond{fakeNotifier: kernel, id: 1}
	s.notifier = withdrawing
	s.handle(bindNotification(1, 16), &workspace{neutral: true})
	s.handle(bindNotification(2, 16), &workspace{neutral: true})
	s.handle(bindNotification(3, 16), &workspace{neutral: true})
	require.Equal(t, []response{{ID: 1}, {ID: 2}, {ID: 3, Error: -int32(unix.EINVAL)}}, kernel.answers)
}

type withdrawOnRespond struct {
	*fakeNotifier
	id uint64
}

func (k *withdrawOnRespond) respond(r *response) error {
	if r.ID == k.id {
		k.withdrawn[r.ID] = true
	}
	return k.fakeNotifier.respond(r)
}

func TestAnOrphanSpeaksForItsOwnAddressOnly(t *testing.T) {
	target := &fakeTarget{memory: ipv4(unix.AF_INET, 0), onSocket: socketOf(t, unix.AF_INET, unix.SOCK_STREAM)}
	s, kernel := newFakeSession(t, "0", target)
	s.notifier = &withdrawOnRespond{fakeNotifier: kernel, id: 1}
	s.handle(bindNotification(1, 16), &workspace{neutral: true})
	target.memory = ipv4(unix.AF_INET, 0, 127, 0, 0, 1)
	s.handle(bindNotification(2, 16), &workspace{neutral: true})
	require.Equal(t, -int32(unix.EINVAL), kernel.answers[1].Error)
}

// The helper had bound the path; the kernel would find its file in the way.
func TestARestartedBindIsNotRunNativelyOnceAHelperDidIt(t *testing.T) {
	target := &fakeTarget{memory: make([]byte, 20), onSocket: socketOf(t, unix.AF_UNIX, unix.SOCK_STREAM)}
	s, kernel := newFakeSession(t, "0", target)
	s.notifier = &withdrawOnRespond{fakeNotifier: kernel, id: 1}
	s.handle(bindNotification(1, 20), &workspace{neutral: true})
	target.alone = true
	s.handle(bindNotification(2, 20), &workspace{neutral: true})
	s.handle(bindNotification(3, 20), &workspace{neutral: true})
	require.Equal(t, []response{{ID: 1}, {ID: 2}, {ID: 3, Flags: respondContinue}}, kernel.answers)
}

func TestALowPortIsBoundByTheTargetAlsoWhereItIsAskedForAsAHighOne(t *testing.T) {
	target := &fakeTarget{memory: ipv4(unix.AF_INET, 8080, 127, 0, 0, 1), onSocket: socketOf(t, unix.AF_INET, unix.SOCK_STREAM), elsewhere: true, actErr: unix.EACCES}
	s, kernel := newFakeSession(t, "80", target)
	var err error
	s.policy, err = config.ParsePolicy("80", "8080:80", "")
	require.NoError(t, err)
	s.handle(bindNotification(1, 16), &workspace{neutral: false}) // it might own the target's namespace
	require.Equal(t, ipv4(unix.AF_INET, 80, 127, 0, 0, 1), target.actedWith)
	require.Equal(t, []response{{ID: 1, Error: -int32(unix.EACCES)}}, kernel.answers)
}

func TestOrphansAreBounded(t *testing.T) {
	var o orphans
	for cookie := range uint64(10 * orphanLimit) {
		o.remember(cookie, nil)
	}
	require.Len(t, o.binds, orphanLimit)
}

func TestTheSocketDecidesNotTheSockaddr(t *testing.T) {
	forbidden := freePort(t, unix.SOCK_STREAM)
	for _, family := range []uint16{unix.AF_INET, unix.AF_UNSPEC, unix.AF_UNIX, unix.AF_INET6} {
		s, kernel := newFakeSession(t, "1", &fakeTarget{memory: ipv4(family, forbidden), onSocket: socketOf(t, unix.AF_INET, unix.SOCK_STREAM)})
		s.handle(bindNotification(1, 16), &workspace{neutral: true})
		require.Equal(t, -int32(unix.EPERM), kernel.answers[0].Error)
	}
}

func TestOtherFamiliesRunNativelyOnlyWhenNobodyCanSwapTheSocket(t *testing.T) {
	path := make([]byte, 20)
	copy(path[2:], "/some/where")
	for _, alone := range []bool{true, false} {
		target := &fakeTarget{memory: path, alone: alone, onSocket: socketOf(t, unix.AF_UNIX, unix.SOCK_STREAM)}
		s, kernel := newFakeSession(t, "1", target)
		s.handle(bindNotification(1, 20), &workspace{neutral: true})
		require.Equal(t, alone, kernel.answers[0].Flags == respondContinue)
		require.Equal(t, !alone, target.actedWith != nil)
	}
}

func TestSocketcallNeverRunsNatively(t *testing.T) {
	memory := make([]byte, 64)
	for i, word := range []uint32{3, 12, 20} { // fd, address, length
		binary.NativeEndian.PutUint32(memory[4*i:], word)
	}
	target := &fakeTarget{memory: memory, alone: true, onSocket: socketOf(t, unix.AF_UNIX, unix.SOCK_STREAM)}
	s, kernel := newFakeSession(t, "1", target)
	s.handle(&notification{ID: 1, PID: 42, Arch: unix.AUDIT_ARCH_I386, NR: 102, Args: [6]uint64{socketcallBind, 0}}, &workspace{neutral: true})
	require.Equal(t, []response{{ID: 1}}, kernel.answers)
	require.Len(t, target.actedWith, 20)
}

// What an option's value names, the kernel looks up for whoever sets it: us.
func TestSocketOptionsThatNameSomethingOfTheCallersAreNotSet(t *testing.T) {
	for _, option := range [][2]int{
		{unix.SOL_ALG, 7}, // ALG_SET_KEY_BY_KEY_SERIAL
		{unix.SOL_RXRPC, 1},
		{unix.SOL_PACKET, unix.PACKET_FANOUT_DATA},
		{unix.SOL_SOCKET, unix.SO_ATTACH_BPF},
		{unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_EBPF},
	} {
		a := attempt{asked: make([]byte, 4), call: call{level: option[0], option: option[1], narrow: true}}
		_, ok := a.plainValue()
		require.False(t, ok, "%v", option)
	}
}

func TestWhatCannotBeActedIsRefusedWhateverTheReason(t *testing.T) {
	target := &fakeTarget{memory: make([]byte, 20), onSocket: socketOf(t, unix.AF_UNIX, unix.SOCK_STREAM), actErr: errors.Join(target.ErrNotMade, unix.ESRCH)}
	s, kernel := newFakeSession(t, "1", target)
	s.handle(bindNotification(1, 20), &workspace{neutral: true})
	require.Equal(t, -int32(unix.EPERM), kernel.answers[0].Error)
}

func TestAnInternetBindIsNeverAnsweredByContinue(t *testing.T) {
	for _, typ := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
		target := &fakeTarget{memory: ipv4(unix.AF_INET, 0), alone: true, onSocket: socketOf(t, unix.AF_INET, typ)}
		s, kernel := newFakeSession(t, "0", target)
		s.handle(bindNotification(1, 16), &workspace{neutral: true})
		require.Equal(t, []response{{ID: 1}}, kernel.answers)
	}
}

func TestCallsInFlightAreBoundedForAContainer(t *testing.T) {
	// Readable, as a notify fd with something to ask is.
	busy := func() int {
		fd, err := unix.Eventfd(1, unix.EFD_CLOEXEC)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	idle, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(idle) })
	container, armed, parked := new(inFlight), map[string]int{}, 0
	newOne := func(name string, fd int) *session {
		return &session{notifyFD: fd, calls: container, arm: func(events uint32) {
			if events != 0 {
				armed[name]++
			} else {
				parked++
			}
		}}
	}
	first, exec, silent, late := newOne("first", busy()), newOne("exec", busy()), newOne("silent", idle), newOne("late", busy())
	for range inFlightLimit {
		require.True(t, first.enter())
	}
	require.False(t, silent.enter())
	require.False(t, exec.enter(), "an exec'd process has a session of its own, and no share of its own")
	require.False(t, late.enter())
	require.True(t, container.crowded())
	require.Equal(t, 3, parked, "their end is noticed all the same")

	first.leave()
	require.Equal(t, map[string]int{"silent": 1, "exec": 1}, armed, "who ends lets one in that has something to ask")
	require.True(t, exec.enter())
	late.hangUp()
	first.leave()
	require.NotContains(t, armed, "late")
	require.False(t, container.crowded())
}

func TestTheLastWorkerLeavesNobodyParked(t *testing.T) {
	asks, err := unix.Eventfd(1, unix.EFD_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(asks)
	container, armed := new(inFlight), 0
	s := &session{notifyFD: asks, calls: container, arm: func(events uint32) {
		if events != 0 {
			armed++
		}
	}}
	for range inFlightLimit {
		require.True(t, s.enter())
	}
	for range 3 {
		require.False(t, s.enter())
	}
	s.leave()
	require.Equal(t, 1, armed) // and if that one's caller is gone by now, nobody enters
	for range inFlightLimit - 1 {
		s.leave()
	}
	require.Equal(t, 3, armed)
	require.False(t, container.crowded())
}

func TestAMissingKernelInterfaceIsNamedWithItsVersion(t *testing.T) {
	for i, p := range requirements {
		missing := append([]requirement{}, requirements...)
		missing[i].try = func() error { return unix.ENOSYS }
		require.ErrorContains(t, checkRequirements(missing), p.what+": it needs "+p.since)
	}
	require.NoError(t, checkRequirements(requirements))
}

// A log level that prints no allowed bind must not have it cost anything.
func TestAnAllowedBindAllocatesNothing(t *testing.T) {
	port := freePort(t, unix.SOCK_DGRAM)
	s, kernel := newFakeSession(t, fmt.Sprint(port), &fakeTarget{memory: ipv4(unix.AF_INET, port, 127, 0, 0, 1), onSocket: func() (int, error) {
		return unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	}})
	kernel.answers = make([]response, 0, 1000)
	n, space := bindNotification(1, 16), &workspace{neutral: true}
	require.Zero(t, testing.AllocsPerRun(200, func() { s.handle(n, space) }))
	require.Equal(t, response{ID: 1}, kernel.answers[0])
}

// Once the log has had its share: a container may ask for refusals without end.
func TestARefusalAllocatesNothing(t *testing.T) {
	s, kernel := newFakeSession(t, "1", &fakeTarget{memory: ipv4(unix.AF_INET, 5000, 127, 0, 0, 1), onSocket: func() (int, error) {
		return unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	}})
	kernel.answers = make([]response, 0, 1000)
	n, space := bindNotification(1, 16), &workspace{neutral: true}
	for range 2 * deniedBurst {
		s.handle(n, space)
	}
	require.Zero(t, testing.AllocsPerRun(200, func() { s.handle(n, space) }))
	require.Equal(t, response{ID: 1, Error: -int32(unix.EPERM)}, kernel.answers[0])
}
