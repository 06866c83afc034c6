package programs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A client binds its socket to port 0, as many do, and may bind no port.
type client struct {
	name   string
	server func(p *place, port int) []string
	talk   []string // the command that asks the server
	answer string
	named  bool // the server is the name server of the machine
}

var clients = []client{
	{
		name: "dig", server: dnsmasq, answer: "192.0.2.7",
		talk: []string{"dig", "@127.0.0.1", "-p", "5000", "-b", host, "+short", "hello.test"},
	},
	{
		name: "nslookup", server: dnsmasq, answer: "Address: 192.0.2.7",
		talk: []string{"nslookup", "-type=a", "-port=5000", "hello.test", "127.0.0.1"},
	},
	{
		name: "busybox", server: dnsmasqAt53, answer: "Address: 192.0.2.7",
		talk: []string{"busybox", "nslookup", "-type=a", "hello.test", "127.0.0.1"},
	},
	{
		name: "musl", server: dnsmasqAt53, answer: "192.0.2.7", named: true,
		talk: []string{"resolve", "hello.test"},
	},
	{
		name: "curl", server: nginx, answer: "hello from nginx",
		talk: []string{"curl", "-sS", "--interface", host, "http://127.0.0.1:5000/index.html"},
	},
	{
		name: "ssh", server: sshd, answer: "Permission denied (publickey",
		talk: []string{"sh", "-c", "ssh -b " + host + " -p 5000 -o StrictHostKeyChecking=no" +
			" -o BatchMode=yes 127.0.0.1 true 2>&1 || true"},
	},
	{
		name: "quic", server: script("network", "quic-serve"), answer: "hello over QUIC",
		talk: []string{"network", "quic-get", addressOf(allowed)},
	},
}

// TestClientsBindToPortZero shows that clients which bind their socket to port 0 need no
// port of the policy, and that --ephemeral deny refuses them.
func TestClientsBindToPortZero(t *testing.T) {
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, "nobody", "")
			if c.named {
				p.replace("/etc/resolv.conf", "nameserver 127.0.0.1\n")
			}
			root := p.as("root")
			server := root.start(c.server(root, allowed)...)
			p.await(func() error {
				out, err := p.try(c.talk...)
				if err == nil && !strings.Contains(out, c.answer) {
					err = fmt.Errorf("%q is not in the answer: %s", c.answer, out)
				}
				return err
			}, server.output)
			for _, ephemeral := range []string{"allow", "deny"} {
				out, err := p.try(append([]string{
					"port-restricter", "-p", "none", "--ephemeral", ephemeral, "--",
				}, c.talk...)...)
				works := err == nil && strings.Contains(out, c.answer)
				require.Equal(p, ephemeral == "allow", works, "%s: %s", ephemeral, out)
			}
		})
	}
}

func dnsmasqAt53(p *place, _ int) []string { return dnsmasq(p, 53) }

// TestAnHTTPTestServerNeedsTheElementZero shows that a server on a port of the kernel's
// choice is refused with a message that names the element 0, and served with it.
func TestAnHTTPTestServerNeedsTheElementZero(t *testing.T) {
	p := newPlace(t, "nobody", "")
	out, err := p.try("port-restricter", "-v", "-p", "5000", "--", "network", "test", "hello")
	require.Error(t, err, out)
	require.Contains(t, out, "failed to listen on a port: listen tcp6 [::1]:0")
	require.Contains(t, out, "is not in -p 5000: add the element 0 to allow it")
	out, err = p.try("port-restricter", "-p", "0", "--", "network", "test", "hello")
	require.NoError(t, err)
	require.Equal(t, "hello\n", out)
}
