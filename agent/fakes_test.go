package agent

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/handover"
	"github.com/port-restricter/port-restricter/agent/target"
	"github.com/port-restricter/port-restricter/config"
)

// A fakeNotifier takes the kernel's place in a session.
type fakeNotifier struct {
	withdrawn map[uint64]bool // the ids of notifications that are no longer valid
	onValid   func()
	answers   []response
}

func (k *fakeNotifier) receive(*notification) error { return unix.ENOENT }
func (k *fakeNotifier) valid(id uint64) bool {
	if k.onValid != nil {
		k.onValid()
	}
	return !k.withdrawn[id]
}
func (k *fakeNotifier) respond(r *response) error {
	k.answers = append(k.answers, *r)
	if k.withdrawn[r.ID] {
		return unix.ENOENT
	}
	return nil
}

// A withdrawOnRespond withdraws notification id when it is answered.
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

// A fakeTarget has one socket, which every fd leads to, and one page of memory.
type fakeTarget struct {
	memory      []byte // from address 0
	program     target.Program
	onSocket    func() (int, error)
	onRead      func()
	ownsTable   bool          // no other task shares its file table
	scanTakes   time.Duration // of a scan of all tasks
	otherUserNS bool          // it is in another user namespace than the supervisor
	helperGot   []byte        // the argument of MakeCall
	helperErr   error         // what MakeCall returns
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
func (t *fakeTarget) KeepsSocket(_, _, _ int, pace func(scan func() time.Duration)) bool {
	pace(func() time.Duration {
		time.Sleep(t.scanTakes)
		return t.scanTakes
	})
	return t.ownsTable
}
func (t *fakeTarget) Socket(int) (int, error) { return t.onSocket() }
func (t *fakeTarget) IsOfAgentsUser() bool    { return !t.otherUserNS }
func (t *fakeTarget) Close()                  {}
func (t *fakeTarget) Program() target.Program { return t.program }
func (t *fakeTarget) MakeCall(c target.Call, valid func() bool) error {
	if !valid() {
		return target.ErrWithdrawn
	}
	t.helperGot = append([]byte{}, c.Argument...)
	return t.helperErr
}

// newFakeSession returns a session whose policy allows ports and whose target is
// fake.
func newFakeSession(t *testing.T, ports string, fake *fakeTarget) (*session, *fakeNotifier) {
	t.Helper()
	policy, err := config.ParsePolicy(config.Texts{Ports: ports})
	require.NoError(t, err)
	kernel := &fakeNotifier{withdrawn: map[uint64]bool{}}
	s := &session{
		notifier: kernel, container: newContainerAlone(),
		audit: newAudit(quietLog(), "c1", config.Identity{}),
		open:  func(*target.Cache, uint32) (targetThread, error) { return fake, nil },
	}
	s.policy.Store(&policy)
	return s, kernel
}

// bindNotification is the notification of a bind to the sockaddr of this length at
// address 0.
func bindNotification(id uint64, length int) *notification {
	return &notification{
		ID: id, PID: 42, Arch: unix.AUDIT_ARCH_X86_64, NR: 49,
		Args: [6]uint64{3, 0, uint64(length)},
	}
}

// socketOf returns a function that returns duplicates of one new socket.
func socketOf(t *testing.T, domain, typ int) func() (int, error) {
	t.Helper()
	original, err := unix.Socket(domain, typ|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(original) })
	return func() (int, error) { return unix.FcntlInt(uintptr(original), unix.F_DUPFD_CLOEXEC, 0) }
}

// ipv4 returns a struct sockaddr_in. rest begins with the address.
func ipv4(family uint16, port uint16, rest ...byte) []byte {
	sockaddr := make([]byte, 16)
	binary.NativeEndian.PutUint16(sockaddr, family)
	binary.BigEndian.PutUint16(sockaddr[2:], port)
	copy(sockaddr[4:], rest)
	return sockaddr
}

// freePort returns a port to which no socket of this type is bound now.
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

// openSession returns a session of a notify fd.
func openSession(
	fd int, record handover.Record, policy config.Policy, log *logrus.Logger,
) (*session, error) {
	notifier, err := newNotifyFD(fd)
	if err != nil {
		return nil, err
	}
	return newSession(notifier, record, policy, log), nil
}

func newContainerAlone() *container {
	return &container{hasNeighbours: func() bool { return false }}
}
