package systemd

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A service of the usual ways to be somebody serves on its port, as without
// port-restricter.
func TestAServiceIsSomebody(t *testing.T) {
	const unit = "[Service]\nType=notify\n" +
		"ExecStart=/usr/bin/port-restricter -p 80,5000 -- /usr/bin/web-server "
	const (
		low = "AmbientCapabilities=CAP_NET_BIND_SERVICE\n"
		// The second line is that of docs/limits.md.
		filter = "SystemCallFilter=@system-service\n" +
			"SystemCallFilter=seccomp pidfd_getfd " +
			"landlock_create_ruleset landlock_add_rule landlock_restrict_self\n"
	)
	for name, c := range map[string]struct{ port, more string }{
		"User":                    {"5000", "User=nobody"},
		"User, low port":          {"80", "User=nobody\n" + low},
		"DynamicUser, low port":   {"80", "DynamicUser=yes\n" + low},
		"PrivateUsers":            {"5000", "PrivateUsers=yes"},
		"PrivateUsers, User":      {"5000", "PrivateUsers=yes\nUser=nobody"},
		"no capabilities":         {"5000", "CapabilityBoundingSet="},
		"one capability":          {"80", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE"},
		"SystemCallFilter":        {"5000", filter},
		"SystemCallFilter, User":  {"5000", filter + "User=nobody"},
		"SystemCallFilter, errno": {"5000", filter + "SystemCallErrorNumber=EPERM"},
	} {
		t.Run(name, func(t *testing.T) {
			u := install(t, "somebody.service", unit+c.port+"\n"+c.more+"\n", "TimeoutStartSec=20")
			u.start()
			require.Equal(t, "EPERM", ask(t, "tcp", "127.0.0.1:"+c.port, "bind 5001"))
		})
	}
}

// redis-server.service of Debian has most of the restrictions that systemd has.
func TestRedisServesAsDebianPackagesIt(t *testing.T) {
	u := packaged(t, "redis-server.service")
	run(t, "install", "-d", "-o", "redis", "/var/log/redis") // /var/log is empty here
	wrap(t, u.name, "-p", "6379")
	require.Equal(t, "Ready to accept connections", u.property("StatusText"))
	require.Equal(t, "+PONG", ask(t, "tcp", "127.0.0.1:6379", "PING"))
}
