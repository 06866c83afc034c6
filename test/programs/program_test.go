package programs

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	allowed   = 5000
	forbidden = 5001
)

// A program is a server that runs in the foreground, with all its files in one directory.
type program struct {
	name string
	// command prepares the place and returns the command that serves on the port.
	command func(p *place, port int) []string
	// talk asks the server something. It is repeated until it succeeds, since a server
	// needs time to start.
	talk func(p *place) (string, error)
	// answer is what only this server can answer.
	answer string
	// refusal is what the server says if its port is refused: its own words.
	refusal string

	ports  string   // what the policy allows; "" is the allowed port alone
	users  []string // who runs it; nil is everybody
	noisy  bool     // what it complains of is different in each run
	limit  string   // of what it complains under port-restricter only: see docs/limits.md
	around []string // what runs port-restricter

	// quit asks a program to end that a signal does not end.
	quit func(p *place) (string, error)
}

// everybody is who runs programs: an ordinary user, and root.
var everybody = []string{"nobody", "root"}

// An outcome is what a run of a program shows to its user and to the network.
type outcome struct {
	answer     string
	sockets    []string // what it listens on
	complaints []string // the lines in which it says that something is wrong
	status     int      // its exit status
}

// test runs the program on the bare machine, then under port-restricter, where nothing may be
// different, then with a port that its policy does not allow.
func (prog program) test(t *testing.T) {
	t.Parallel()
	for _, user := range everybody {
		if prog.users != nil && !slices.Contains(prog.users, user) {
			continue
		}
		dir := temporary(t) // what a program makes at its first start is kept for the others
		var bare outcome
		t.Run(user+"/bare", func(t *testing.T) {
			p := newPlace(t, user, dir)
			bare = prog.serve(p, prog.command(p, allowed), outcome{})
		})
		t.Run(user+"/allowed", func(t *testing.T) {
			p := newPlace(t, user, dir)
			got := prog.serve(p, prog.restricted(p, allowed), bare)
			require.Equal(t, bare.answer, got.answer)
			prog.compareComplaints(t, bare.complaints, got.complaints)
			require.Equal(t, bare.status, got.status)
		})
		t.Run(user+"/forbidden", func(t *testing.T) {
			p := newPlace(t, user, dir)
			prog.refused(p)
		})
	}
}

// restricted returns the command that runs the program under port-restricter.
func (prog program) restricted(p *place, port int) []string {
	ports := prog.ports
	if ports == "" {
		ports = strconv.Itoa(allowed)
	}
	restricter := append(slices.Clone(prog.around), "port-restricter", "-p", ports, "--")
	return append(restricter, prog.command(p, port)...)
}

// serve runs a command of the program until it has answered, and until it listens on the
// same sockets as before, if there was a run before.
func (prog program) serve(p *place, command []string, before outcome) outcome {
	p.Helper()
	var now outcome
	s := p.start(command...)
	p.await(func() (err error) {
		if s.hasEnded() {
			return fmt.Errorf("%w%s has ended", errHopeless, prog.name)
		}
		now.answer, err = prog.talk(p)
		if err == nil && !strings.Contains(now.answer, prog.answer) {
			err = fmt.Errorf("the answer is %q", now.answer)
		}
		return err
	}, s.output)
	p.await(func() error {
		now.sockets = p.sockets()
		if before.sockets != nil && !slices.Equal(now.sockets, before.sockets) {
			return fmt.Errorf("on the bare machine it listens on\n%s\nand here on\n%s",
				strings.Join(before.sockets, "\n"), strings.Join(now.sockets, "\n"))
		}
		return nil
	}, s.output)
	now.status = prog.stop(s)
	now.complaints = p.complaints(s.output())
	return now
}

// refused shows that the program says why it can't serve on the forbidden port, and doesn't.
func (prog program) refused(p *place) {
	p.Helper()
	s := p.start(prog.restricted(p, forbidden)...)
	p.await(func() error {
		ended := s.hasEnded() // before its last words are read
		if strings.Contains(s.output(), prog.refusal) {
			return nil
		}
		if ended {
			return fmt.Errorf("%w%s has ended without a word of it", errHopeless, prog.name)
		}
		return fmt.Errorf("%s does not say %q", prog.name, prog.refusal)
	}, s.output)
	require.NotContains(p, strings.Join(p.sockets(), "\n"), ":"+strconv.Itoa(forbidden))
	prog.stop(s)
}

// stop asks the program to end and returns its exit status.
func (prog program) stop(s *process) int {
	if prog.quit == nil {
		return s.stop()
	}
	_, _ = prog.quit(s.place) // the connection ends with the program
	return s.wait()
}

func (s *process) hasEnded() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

var (
	complaint = regexp.MustCompile(`(?i)error|warn|fail|denied|permit|unable|cannot|can't`)
	// changing is what is different in each run: times, process ids, addresses in memory,
	// names of temporary files.
	changing = regexp.MustCompile(`(0x)?[0-9a-f]*[0-9][0-9a-f]*|\.[A-Za-z0-9]{6}\b`)
)

// complaints returns the lines of an output in which a program says that something is wrong,
// without what is different in each run.
func (p *place) complaints(output string) []string {
	found := []string{}
	for line := range strings.Lines(strings.ReplaceAll(output, p.dir, "DIR")) {
		if complaint.MatchString(line) {
			found = append(found, changing.ReplaceAllString(strings.TrimSpace(line), "N"))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// compareComplaints shows that under port-restricter the program complains of nothing but
// what it complains of on the bare machine, and its limit.
func (prog program) compareComplaints(t *testing.T, bare, restricted []string) {
	t.Helper()
	if prog.noisy {
		return
	}
	limits := 0
	for _, line := range restricted {
		if prog.limit != "" && strings.Contains(line, prog.limit) {
			limits++
			continue
		}
		require.True(t, slices.Contains(bare, line), "on the bare machine it does not say %q", line)
	}
	require.Equal(t, prog.limit != "", limits > 0, "the program doesn't complain of its limit")
}

// picked are the ports that the kernel picks.
var picked = regexp.MustCompile(`:(3[3-9]|[45]\d)\d{3}\b`)

// sockets returns what is listened on in p: protocol, backlog and address.
func (p *place) sockets() []string {
	p.Helper()
	out, err := p.try("ss", "--no-header", "--numeric", "--listening",
		"--tcp", "--udp", "--sctp", "--mptcp", "--unix")
	require.NoError(p, err)
	found := []string{}
	for line := range strings.Lines(strings.ReplaceAll(out, p.dir, "DIR")) {
		fields := strings.Fields(line) // protocol, state, receive queue, backlog, address
		address := picked.ReplaceAllString(fields[4], ":picked")
		if strings.HasPrefix(fields[0], "u_") {
			address = changing.ReplaceAllString(address, "N")
		}
		found = append(found, strings.Join([]string{fields[0], fields[3], address}, " "))
	}
	slices.Sort(found)
	return found
}
