// Package programs tests unmodified servers, as Debian packages them, under
// port-restricter: each server serves on its allowed port, and reports "Operation not
// permitted" on another port.
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
	"runtime"
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

// patience bounds how long a server may take to start or to answer, on a busy machine.
const patience = time.Minute

// A program is a server that runs in the foreground, with all its files in one directory.
type program struct {
	name string
	// command prepares dir and returns the command that listens on port.
	command func(t *testing.T, dir string, port int) []string
	user    string // "" is root
	// talk asks the server something that only this server can answer.
	talk func(t *testing.T, dir string)
	// logFile is the file in dir to which the server writes its messages, or "" if it
	// writes them to its output.
	logFile string
}

var programs = []program{
	{name: "nginx", logFile: "error.log", command: nginx, talk: talkToNginx},
	{name: "redis", command: redis, talk: talkToRedis},
	{name: "python", user: "nobody", command: python, talk: talkToPython},
	{name: "postgres", user: "postgres", command: postgres, talk: talkToPostgres},
	{name: "sshd", command: sshd, talk: talkToSSHD},
}

// TestServersServeOnTheirPortOnly shows that servers work without a change on the port
// that they may bind, also on AF_UNIX sockets, and that they report a clear error on
// another port.
func TestServersServeOnTheirPortOnly(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name+"/allowed", func(t *testing.T) {
			dir := p.directory(t)
			output := p.start(t, dir, allowed)
			require.Eventually(t, func() bool {
				conn, err := net.Dial("tcp", addressOf(allowed))
				if err == nil {
					conn.Close()
				}
				return err == nil
			}, patience, 50*time.Millisecond, "the server doesn't listen; its output: %s", output)
			p.talk(t, dir)
		})
		t.Run(p.name+"/forbidden", func(t *testing.T) {
			output := p.start(t, p.directory(t), forbidden)
			require.Eventually(t, func() bool {
				return strings.Contains(output.String(), "Operation not permitted")
			}, patience, 50*time.Millisecond,
				"the server does not report that its bind was refused; its output: %s", output)
			_, err := net.Dial("tcp", addressOf(forbidden))
			require.Error(t, err)
		})
	}
}

// directory returns a temporary directory that the program's user owns and can enter.
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

// start runs the program until the test ends. It returns what the program writes to its
// output and its log file.
func (p program) start(t *testing.T, dir string, port int) fmt.Stringer {
	t.Helper()
	restricter, err := filepath.Abs("../../bin/port-restricter")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	out := &output{file: filepath.Join(dir, p.logFile)}
	if p.logFile == "" {
		out.file = ""
	}
	// Run a copy of the binary: an ordinary user may be unable to reach the checkout.
	reachable := filepath.Join(dir, "port-restricter")
	binary, err := os.ReadFile(restricter)
	require.NoError(t, err, "run `make build` first")
	require.NoError(t, os.WriteFile(reachable, binary, 0o755))

	args := append([]string{"-p", strconv.Itoa(allowed), "--"}, p.command(t, dir, port)...)
	command := exec.CommandContext(ctx, reachable, args...)
	command.Dir, command.Stdout, command.Stderr = dir, out, out
	command.Env = append(os.Environ(), "HOME="+dir)
	runtime.LockOSThread() // Pdeathsig is sent when this thread ends, so after the test
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
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
	return out
}

func nginx(t *testing.T, dir string, port int) []string {
	write(t, dir, "index.html", "hello from nginx")
	write(t, dir, "nginx.conf", fmt.Sprintf(`
daemon off; user root; worker_processes 2; pid %[1]s/pid; error_log %[1]s/error.log;
events {}
http {
	access_log off; client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b;
	fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
	server { listen 127.0.0.1:%[2]d; root %[1]s; }
}
`, dir, port))
	return []string{
		"nginx", "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "error.log"),
	}
}

func talkToNginx(t *testing.T, _ string) { httpGet(t, "hello from nginx") }

func redis(_ *testing.T, dir string, port int) []string {
	return []string{
		"redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir,
		"--unixsocket", redisSocket(dir), "--save", "",
	}
}

func redisSocket(dir string) string { return filepath.Join(dir, "redis-server.sock") }

func talkToRedis(t *testing.T, dir string) {
	const ping, pong = "PING\r\n", "+PONG\r\n"
	require.Equal(t, pong, converse(t, "tcp", addressOf(allowed), ping))
	require.Equal(t, pong, converse(t, "unix", redisSocket(dir), ping))
}

func python(_ *testing.T, _ string, port int) []string {
	return []string{
		"/usr/bin/python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", strconv.Itoa(port),
	}
}

func talkToPython(t *testing.T, _ string) { httpGet(t, "Directory listing") }

func postgres(t *testing.T, dir string, port int) []string {
	tools, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	require.NoError(t, err)
	require.NotEmpty(t, tools, "postgresql is not installed")
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(tools[0], "initdb"),
		"-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
	initdb.Dir = dir
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: credential(t, "postgres")}
	out, err := initdb.CombinedOutput()
	require.NoError(t, err, string(out))
	return []string{
		filepath.Join(tools[0], "postgres"), "-D", data,
		"-p", strconv.Itoa(port), "-k", dir, "-h", "127.0.0.1",
	}
}

func talkToPostgres(t *testing.T, dir string) {
	port := strconv.Itoa(allowed)
	for _, host := range []string{"127.0.0.1", dir} {
		require.Eventually(t, func() bool { // postgres listens before it can answer
			return exec.Command("pg_isready", "-q", "-h", host, "-p", port).Run() == nil
		}, patience, 50*time.Millisecond, "postgres does not get ready")
		out, err := exec.Command("psql", "-h", host, "-p", port,
			"-U", "postgres", "-Atc", "select 6*7").CombinedOutput()
		require.NoError(t, err, string(out))
		require.Equal(t, "42\n", string(out))
	}
	owner, err := user.Lookup("postgres")
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(dir, ".s.PGSQL."+port))
	require.NoError(t, err)
	require.Equal(t, owner.Uid, fmt.Sprint(info.Sys().(*syscall.Stat_t).Uid))
}

func sshd(t *testing.T, dir string, port int) []string {
	require.NoError(t, os.MkdirAll("/run/sshd", 0o755))
	key := filepath.Join(dir, "key")
	keygen := exec.Command("ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", key)
	out, err := keygen.CombinedOutput()
	require.NoError(t, err, string(out))
	write(t, dir, "sshd_config", "")
	return []string{
		"/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(dir, "sshd_config"), "-h", key,
		"-p", strconv.Itoa(port), "-o", "ListenAddress=127.0.0.1", "-o", "PidFile=none",
	}
}

func talkToSSHD(t *testing.T, _ string) {
	require.Contains(t, converse(t, "tcp", addressOf(allowed), ""), "SSH-2.0-OpenSSH")
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
}

// credential returns the uid and the gid of a user.
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

// httpGet requires that the page at the allowed port contains a text.
func httpGet(t *testing.T, contains string) {
	t.Helper()
	response, err := http.Get("http://" + addressOf(allowed))
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), contains)
}

// converse sends a text and returns what the first read returns.
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

// An output collects what a program writes to its output. Its String also contains the
// program's log file.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	file string // the log file; "" for none
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	logged, _ := os.ReadFile(o.file)
	return o.text.String() + string(logged)
}
