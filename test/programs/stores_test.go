package programs

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

var stores = []program{
	{
		name: "redis", command: redis, answer: "+PONG\r\n+PONG\r\n",
		talk: both(question("tcp", "", "PING\r\n"), question("unix", "redis.sock", "PING\r\n")),
		refusal: "Warning: Could not create server TCP listening socket 127.0.0.1:5001:" +
			" bind: Operation not permitted",
	},
	{
		name: "memcached", answer: "VERSION",
		command: memcached,
		talk: both(question("tcp", "", "version\r\n"),
			question("udp", "", "\x00\x01\x00\x00\x00\x01\x00\x00version\r\n")),
		refusal: "failed to listen on one of interface(s) 127.0.0.1: Operation not permitted",
	},
	{
		name: "postgres", users: []string{"nobody"}, command: postgres, answer: "42\n42\n",
		talk:    both(psql("127.0.0.1"), psql("")),
		refusal: `could not bind IPv4 address "127.0.0.1": Operation not permitted`,
	},
	{
		name: "mariadb", command: mariadb, answer: "42\n42\n",
		talk: both(ask("mariadb", "-h", "127.0.0.1", "-P", "5000", "-Ne", "select 6*7"),
			func(p *place) (string, error) {
				return p.try("mariadb", "-S", p.path("db.sock"), "-Ne", "select 6*7")
			}),
		refusal: "Can't start server: Bind on TCP/IP port. Got error: 1: Operation not permitted",
		limit:   "uring",
	},
}

func TestStores(t *testing.T) { testAll(t, stores) }

// question returns a function that asks the server at its port, or at a socket in its
// directory.
func question(network, socket, text string) func(*place) (string, error) {
	return func(p *place) (string, error) {
		if socket != "" {
			return converse(network, p.path(socket), text)
		}
		return converse(network, addressOf(allowed), text)
	}
}

func redis(p *place, port int) []string {
	return []string{
		"redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", p.dir,
		"--unixsocket", p.path("redis.sock"), "--save", "",
	}
}

func memcached(p *place, port int) []string {
	return []string{
		"memcached", "-l", "127.0.0.1", "-p", strconv.Itoa(port), "-U", strconv.Itoa(port),
		"-u", p.user.Username,
	}
}

func postgres(p *place, port int) []string {
	tools, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	require.NoError(p, err)
	require.NotEmpty(p, tools, "postgresql is not installed")
	data := p.path("data")
	if _, err := os.Stat(data); err != nil {
		out, err := p.try(filepath.Join(tools[0], "initdb"),
			"-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
		require.NoError(p, err, out)
	}
	return []string{
		filepath.Join(tools[0], "postgres"), "-D", data,
		"-p", strconv.Itoa(port), "-k", p.dir, "-h", "127.0.0.1",
	}
}

// psql returns a function that asks postgres at a host, or at its socket, which must belong
// to the user of postgres.
func psql(host string) func(*place) (string, error) {
	return func(p *place) (string, error) {
		where := host
		if where == "" {
			where = p.dir
			info, err := os.Stat(p.path(".s.PGSQL.5000"))
			if err != nil {
				return "", err
			}
			require.Equal(p, number(p, p.user.Uid), info.Sys().(*syscall.Stat_t).Uid)
		}
		return p.try("psql", "-h", where, "-p", "5000", "-U", "postgres", "-Atc", "select 6*7")
	}
}

func mariadb(p *place, port int) []string {
	return []string{
		"mariadbd", "--no-defaults", "--skip-grant-tables", "--user=" + p.user.Username,
		"--datadir=" + p.dir, "--socket=" + p.path("db.sock"), "--pid-file=" + p.path("pid"),
		"--bind-address=127.0.0.1", "--port=" + strconv.Itoa(port),
	}
}
