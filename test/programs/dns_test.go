package programs

import (
	"fmt"
	"strconv"
	"testing"
)

var nameServers = []program{
	{
		name: "dnsmasq", answer: "192.0.2.7\n192.0.2.7\n", command: dnsmasq,
		talk:    both(dig("+notcp"), dig("+tcp")),
		refusal: "failed to create listening socket for 127.0.0.1: Operation not permitted",
	},
	{
		name: "unbound", answer: "192.0.2.7\n192.0.2.7\n", command: unbound,
		talk:    both(dig("+notcp"), dig("+tcp")),
		refusal: "can't bind socket: Operation not permitted for 127.0.0.1 port 5001",
	},
}

func TestNameServers(t *testing.T) { testAll(t, nameServers) }

func dig(option string) func(*place) (string, error) {
	return ask("dig", "@127.0.0.1", "-p", "5000", option, "+tries=1", "+short", "hello.test")
}

func dnsmasq(p *place, port int) []string {
	return []string{
		"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port", strconv.Itoa(port),
		"--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv", "--no-hosts",
		"--address=/hello.test/192.0.2.7", "--user=" + p.user.Username, "--pid-file",
		"--log-facility=-",
	}
}

func unbound(p *place, port int) []string {
	return []string{"unbound", "-d", "-c", p.write("unbound.conf", fmt.Sprintf(`
server:
	interface: 127.0.0.1@%d
	directory: %q
	chroot: ""
	username: ""
	pidfile: ""
	use-syslog: no
	local-data: "hello.test A 192.0.2.7"
`, port, p.dir))}
}
