// Package programs runs servers as they are packaged under port-restricter:
// each serves on the port it was given, and says "Operation not permitted" on
// another one.
package programs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	allowed   = 5400
	forbidden = 5401
)

// patience is how long a server may take to start on a busy machine.
const patience = time.Minute

// A program is a server in the foreground, with all its files below dir.
type program struct {
	name string
	// command prepares dir and returns the command that listens on port.
	command func(t *testing.T, dir string, port int) []string
	user    string // "" is root
	// talk asks the server something that only it can answer.
	talk func(t *testing.T, dir string)
	// logFile holds what it says, where that is not its output.
	logFile string
}

var programs = []program{
	{name: "nginx", logFile: "error.log", command: nginx, talk: func(t *testing.T, _ string) { httpGet(t, "hello from nginx") }},
	{name: "redis", command: redis, talk: func(t *testing.T, dir string) {
		require.Equal(t, "+PONG\r\n", converse(t, "tcp", addressOf(allowed), "PING\r\n"))
		require.Equal(t, "+PONG\r\n", converse(t, "unix", filepath.Join(dir, "redis-of-its-own.sock"), "PING\r\n"))
	}},
	{name: "python", user: "nobody", command: python, talk: func(t *testing.T, _ string) { httpGet(t, "Directory listing") }},
	{name: "postgres", user: "postgres", command: postgres, talk: func(t *testing.T, dir string) {
		for _, host := range []string{"127.0.0.1", dir} {
			require.Eventually(t, func() bool { // it listens before it answers
				return exec.Command("pg_isready", "-q", "-h", host, "-p", strconv.Itoa(allowed)).Run() == nil
			}, patience, 50*time.Millisecond, "postgres does not get ready")
			out, err := exec.Command("psql", "-h", host, "-p", strconv.Itoa(allowed), "-U", "postgres", "-Atc", "select 6*7").CombinedOutput()
			require.NoError(t, err, string(out))
			require.Equal(t, "42\n", string(out))
		}
		owner, err := user.Lookup("postgres")
		require.NoError(t, err)
		info, err := os.Stat(filepath.Join(dir, fmt.Sprintf(".s.PGSQL.%d", allowed)))
		require.NoError(t, err)
		require.Equal(t, owner.Uid, fmt.Sprint(info.Sys().(*syscall.Stat_t).Uid))
	}},
	{name: "sshd", command: sshd, talk: func(t *testing.T, _ string) {
		require.Contains(t, converse(t, "tcp", addressOf(allowed), ""), "SSH-2.0-OpenSSH")
	}},
}

func TestServersServeOnTheirPortOnly(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name+"/allowed", func(t *testing.T) {
			dir := p.directory(t)
			said := p.start(t, dir, allowed)
			require.Eventually(t, func() bool {
				conn, err := net.Dial("tcp", addressOf(allowed))
				if err == nil {
					conn.Close()
				}
				return err == nil
			}, patience, 50*time.Millisecond, "it doesn't listen; it said: %s", said)
			p.talk(t, dir)
		})
		t.Run(p.name+"/forbidden", func(t *testing.T) {
			said := p.start(t, p.directory(t), forbidden)
			require.Eventually(t, func() bool {
				return strings.Contains(said.String(), "Operation not permitted")
			}, patience, 50*time.Millisecond, "it said: %s", said)
			_, err := net.Dial("tcp", addressOf(forbidden))
			require.Error(t, err)
		})
	}
}

// directory is one that the program's user owns and can reach.
func (p program) directory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "port-restricter-"+p.name)
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	if p.user != "" {
		c := credential(t, p.user)
		require.NoError(t, os.Chown(dir, int(c.Uid), int(c.Gid)))
	}
	return dir
}

// start runs it until the test ends, and returns what it says.
func (p program) start(t *testing.T, dir string, port int) fmt.Stringer {
	t.Helper()
	restricter, err := filepath.Abs("../../bin/port-restricter")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	said := &output{file: filepath.Join(dir, p.logFile)}
	if p.logFile == "" {
		said.file = ""
	}
	// A copy: an ordinary user may be unable to reach the checkout.
	reachable := filepath.Join(dir, "port-restricter")
	binary, err := os.ReadFile(restricter)
	require.NoError(t, err, "make build first")
	require.NoError(t, os.WriteFile(reachable, binary, 0o755))

	args := append([]string{"-p", strconv.Itoa(allowed), "--"}, p.command(t, dir, port)...)
	command := exec.CommandContext(ctx, reachable, args...)
	command.Dir, command.Stdout, command.Stderr = dir, said, said
	command.Env = append(os.Environ(), "HOME="+dir)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.user != "" {
		command.SysProcAttr.Credential = credential(t, p.user)
	}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = patience
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		cancel()
		_ = command.Wait()
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
	})
	return said
}

func nginx(t *testing.T, dir string, port int) []string {
	write(t, dir, "index.html", "hello from nginx")
	write(t, dir, "nginx.conf", fmt.Sprintf(`daemon off; user root; worker_processes 2; pid %[1]s/pid; error_log %[1]s/error.log;
events {}
http { access_log off; client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
server { listen 127.0.0.1:%[2]d; root %[1]s; } }`, dir, port))
	return []string{"nginx", "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "error.log")}
}

func redis(_ *testing.T, dir string, port int) []string {
	return []string{"redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--unixsocket", filepath.Join(dir, "redis-of-its-own.sock"), "--save", ""}
}

func python(_ *testing.T, _ string, port int) []string {
	return []string{"/usr/bin/python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", strconv.Itoa(port)}
}

func postgres(t *testing.T, dir string, port int) []string {
	tools, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	require.NoError(t, err)
	require.NotEmpty(t, tools, "postgresql is not installed")
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(tools[0], "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: credential(t, "postgres")}
	out, err := initdb.CombinedOutput()
	require.NoError(t, err, string(out))
	return []string{filepath.Join(tools[0], "postgres"), "-D", data, "-p", strconv.Itoa(port), "-k", dir, "-h", "127.0.0.1"}
}

func sshd(t *testing.T, dir string, port int) []string {
	require.NoError(t, os.MkdirAll("/run/sshd", 0o755))
	key := filepath.Join(dir, "key")
	out, err := exec.Command("ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", key).CombinedOutput()
	require.NoError(t, err, string(out))
	write(t, dir, "sshd_config", "")
	return []string{"/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(dir, "sshd_config"), "-h", key, "-p", strconv.Itoa(port), "-o", "ListenAddress=127.0.0.1", "-o", "PidFile=none"}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
}

func credential(t *testing.T, name string) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup(name)
	require.NoError(t, err)
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	require.NoError(t, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func addressOf(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func httpGet(t *testing.T, contains string) {
	t.Helper()
	response, err := http.Get("http://" + addressOf(allowed))
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), contains)
}

// converse sends a line and returns the first that comes back.
func converse(t *testing.T, network, address, send string) string {
	t.Helper()
	conn, err := net.Dial(network, address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, send)
	require.NoError(t, err)
	answer := make([]byte, 128)
	n, err := conn.Read(answer)
	require.NoError(t, err)
	return string(answer[:n])
}

// output collects what a program says, with what it writes to its log file.
type output struct {
	mu   sync.Mutex
	said bytes.Buffer
	file string
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.said.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	logged, _ := os.ReadFile(o.file)
	return o.said.String() + string(logged)
}
