package control

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/agent"
)

// A source is an agent with made up containers. Its events are those of a real supervisor.
type source struct {
	*agent.Supervisor
	containers []agent.Container
	fault      bool
}

func (s *source) Stats() agent.Stats { return agent.Stats{Containers: len(s.containers)} }

func (s *source) Containers() []agent.Container {
	if s.fault {
		panic("a fault")
	}
	return s.containers
}

func (s *source) ContainersOf(id string) (found []agent.Container) {
	for _, c := range s.containers {
		if c.ID == id {
			found = append(found, c)
		}
	}
	return found
}

func quietLog() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// serve serves a source on a socket, until the end of the test.
func serve(t *testing.T, s *source) (path string, server *Server) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "control.sock")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	if s.Supervisor == nil {
		s.Supervisor = &agent.Supervisor{}
	}
	ctx, stop := context.WithCancel(t.Context())
	server, err = NewServer(s, "v1", quietLog())
	require.NoError(t, err)
	server.sendLimit, server.readLimit = 200*time.Millisecond, time.Second
	var served sync.WaitGroup
	served.Go(func() { _ = server.ServeControl(ctx, l) })
	t.Cleanup(func() { stop(); served.Wait() })
	return path, server
}

func TestTheClientReadsWhatTheServerSays(t *testing.T) {
	all := []agent.Container{
		{ID: "abc1", Bundle: "/b", Namespace: "n", Pod: "p", Name: "c", Metadata: "secret",
			Annotations: map[string]string{"port-restricter.port": "1"}},
		{ID: "abc2", Bundle: "/b2"},
		{ID: "a/b?c", Bundle: "/b 3"},
	}
	path, _ := serve(t, &source{containers: all})
	c := NewClient(path)
	about, err := c.Agent(t.Context())
	require.NoError(t, err)
	require.Equal(t, "v1", about.Version)
	require.Equal(t, os.Getpid(), about.PID)
	require.Equal(t, 3, about.Containers)
	list, err := c.Containers(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 3)
	require.Empty(t, list[0].Annotations)
	for name, want := range map[string]int{
		"n/p/c": 0, "n/p": 0, "p": 0, "c": 0, "abc1": 0, "/b2": 1, "a/b?c": 2, "a/b": 2,
	} {
		details, err := c.Container(t.Context(), name)
		require.NoError(t, err, name)
		require.Equal(t, all[want], details.Container, name)
	}
	_, err = c.Container(t.Context(), "abc")
	require.ErrorContains(t, err, `"abc" means 2 containers: abc1 (n/p/c), abc2`)
	_, err = c.Container(t.Context(), "\x1b[31m")
	require.ErrorIs(t, err, ErrNotFound)
	require.NotContains(t, err.Error(), "\x1b")
}

// Containers with one id are told apart by their bundles.
func TestTwoContainersWithOneID(t *testing.T) {
	all := []agent.Container{{ID: "a", Bundle: "/1"}, {ID: "a", Bundle: "/2"}}
	path, _ := serve(t, &source{containers: all})
	_, err := NewClient(path).Container(t.Context(), "a")
	require.ErrorContains(t, err, "means 2 containers: /1, /2")
	details, err := NewClient(path).Container(t.Context(), "/2")
	require.NoError(t, err)
	require.Equal(t, "/2", details.Bundle)
}

func TestNoContainers(t *testing.T) {
	path, _ := serve(t, &source{})
	list, err := NewClient(path).Containers(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
}

// say sends a text, and returns all that is answered.
func say(t *testing.T, path, text string) string {
	t.Helper()
	conn, err := net.Dial("unix", path)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, _ = io.WriteString(conn, text)
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

// Rubbish, and what would change something, is refused, and does no harm.
func TestRubbishIsRefused(t *testing.T) {
	path, _ := serve(t, &source{containers: []agent.Container{{ID: "a"}}})
	const end = "Host: a\r\nConnection: close\r\n\r\n"
	for text, status := range map[string]string{
		"\x00\xff\r\n\r\n":                                                    "400",
		"{\"ociVersion\":\"1\"}\r\n\r\n":                                      "400",
		"GET /v1/agent HTTP/9.9\r\n" + end:                                    "505",
		"POST /v1/agent HTTP/1.1\r\n" + end:                                   "405",
		"DELETE /v1/containers/a HTTP/1.1\r\n" + end:                          "405",
		"GET / HTTP/1.1\r\n" + end:                                            "404",
		"GET /v1/containers/../../etc/passwd HTTP/1.1\r\n" + end:              "307",
		"GET /v1/agent HTTP/1.1\r\nContent-Length: 9999999999\r\n" + end:      "400",
		"GET /v1/agent HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + end:      "400",
		"GET /v1/agent HTTP/1.1\r\nA: " + strings.Repeat("a", 1<<16) + "\r\n": "431",
		"GET /v1/agent HTTP/1.1\r\n" + end:                                    "200",
	} {
		answer := say(t, path, text)
		require.Regexp(t, "^HTTP/1.[01] "+status+" ", answer, "%.60q", text)
	}
}

// A client that says nothing is let go, and so are many, which hold up nobody for longer.
func TestSilentClientsAreLetGo(t *testing.T) {
	path, _ := serve(t, &source{})
	for _, beginning := range []string{"", "GET /v1/agent HTTP/1.1\r\nA: b"} {
		for range 2 * connectionLimit {
			conn, err := net.Dial("unix", path)
			require.NoError(t, err)
			defer conn.Close()
			_, _ = io.WriteString(conn, beginning)
		}
		_, err := NewClient(path).Agent(t.Context())
		require.NoError(t, err)
	}
}

// A client that never reads a long list is let go.
func TestAClientThatNeverReadsIsLetGo(t *testing.T) {
	var all []agent.Container
	for i := range 10_000 {
		all = append(all, agent.Container{ID: fmt.Sprint(i), Policy: strings.Repeat("1,", 500)})
	}
	path, server := serve(t, &source{containers: all})
	for range listLimit {
		conn, err := net.Dial("unix", path)
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, "GET /v1/containers HTTP/1.1\r\nHost: a\r\n\r\n")
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return len(server.lists) == listLimit },
		time.Minute, time.Millisecond)
	_, err := NewClient(path).Agent(t.Context())
	require.NoError(t, err)
	list, err := NewClient(path).Containers(t.Context())
	require.NoError(t, err)
	require.Len(t, list, len(all))
}

// A fault in one answer ends one connection.
func TestAFaultEndsOneRequest(t *testing.T) {
	s := &source{fault: true}
	path, _ := serve(t, s)
	_, err := NewClient(path).Containers(t.Context())
	require.Error(t, err)
	_, err = NewClient(path).Agent(t.Context())
	require.NoError(t, err)
}

// Streams have a bound, and one that nobody reads makes room for another one.
func TestStreamsAreBounded(t *testing.T) {
	path, server := serve(t, &source{})
	before := runtime.NumGoroutine()
	open := func() *bufio.Reader {
		conn, err := net.Dial("unix", path)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		_, err = io.WriteString(conn, "GET /v1/events HTTP/1.1\r\nHost: a\r\n\r\n")
		require.NoError(t, err)
		r := bufio.NewReader(conn)
		first, err := r.ReadString('\n')
		require.NoError(t, err)
		require.Contains(t, first, "200 OK")
		return r
	}
	var readers []*bufio.Reader
	for range streamLimit {
		readers = append(readers, open())
	}
	_, err := NewClient(path).Events(t.Context(), false, "")
	require.ErrorContains(t, err, "as many programs read events as the agent allows")

	server.streams.mu.Lock()
	for one := range server.streams.all { // as if they had not read for long
		one.writing.Store(time.Now().Add(-2 * stuckAfter).UnixNano())
		break
	}
	server.streams.mu.Unlock()
	ctx, stop := context.WithCancel(t.Context())
	_, err = NewClient(path).Events(ctx, false, "")
	require.NoError(t, err)
	stop()
	require.Eventually(t, func() bool { return server.streams.count() == streamLimit-1 },
		time.Minute, time.Millisecond, "a reader that went away left its place taken")
	require.Less(t, runtime.NumGoroutine()-before, 5*streamLimit)
	require.NotEmpty(t, readers)
}

// What is wrong is said, with what to do.
func TestNoAgentIsExplained(t *testing.T) {
	dir := t.TempDir()
	ask := func(name string) error {
		_, err := NewClient(filepath.Join(dir, name)).Agent(t.Context())
		return err
	}
	require.ErrorContains(t, ask("none"), "no agent: there is no control socket at")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "dead")})
	require.NoError(t, err)
	dead.SetUnlinkOnClose(false)
	dead.Close()
	require.ErrorContains(t, ask("dead"), "The agent does not run")
	require.ErrorContains(t, ask("dead"), "restart them")
	require.NotContains(t, ask("none").Error(), "http://", "an address that nobody has written")

	other, err := net.Listen("unix", filepath.Join(dir, "other"))
	require.NoError(t, err)
	defer other.Close()
	go func() {
		for conn, err := other.Accept(); err == nil; conn, err = other.Accept() {
			conn.Close()
		}
	}()
	require.ErrorContains(t, ask("other"), "not as an agent's control socket does")
}

// An answer that is no answer is an error, and no panic.
func TestTheClientTrustsNoAnswer(t *testing.T) {
	for text, want := range map[string]string{
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull":                    "",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]":                      "read the answer",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{":                       "read the answer",
		"HTTP/1.1 500 \r\nContent-Length: 0\r\n\r\n":                          "another version",
		"HTTP/1.1 503 \r\nContent-Length: 18\r\n\r\n{\"error\":\"\x1b[31m\"}": "another version",
		"rubbish": "not as an agent's control socket does",
	} {
		path := filepath.Join(t.TempDir(), "s")
		l, err := net.Listen("unix", path)
		require.NoError(t, err)
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, text)
			conn.Close()
		}()
		_, err = NewClient(path).Agent(t.Context())
		l.Close()
		if want != "" {
			require.ErrorContains(t, err, want, text)
			require.NotContains(t, err.Error(), "\x1b")
		}
	}
}

func TestLinesAreReadAsTheyWereWritten(t *testing.T) {
	for _, want := range []Line{
		{Missed: 7},
		{Event: agent.Event{Container: "c", Decision: "deny", Port: 80}},
	} {
		var value any = want.Event
		if want.Missed > 0 {
			value = Missed{want.Missed}
		}
		text, err := json.Marshal(value)
		require.NoError(t, err)
		var got Line
		require.NoError(t, json.Unmarshal(text, &got))
		require.Equal(t, want, got)
	}
}
