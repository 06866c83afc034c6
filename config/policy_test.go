package config

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

var anywhere = netip.IPv4Unspecified()

// mustParse returns the policy of a command line.
func mustParse(t testing.TB, ports, maps, mode string) *Policy {
	t.Helper()
	p, err := ParsePolicy(Texts{Ports: ports, Map: maps, Mode: mode})
	require.NoError(t, err)
	return &p
}

func TestTheZeroPolicyDenies(t *testing.T) {
	require.Equal(t, Decision{Reason: NewReason("there is no policy")},
		new(Policy).Decide(Request{Bind, TCP, anywhere, 5000, false}))
	denied := DenyAll("no annotation")
	require.Equal(t, Decision{Reason: NewReason("no annotation")},
		denied.Decide(Request{Listen, TCP, anywhere, 0, false}))
}

func TestAMappedBindIsRewritten(t *testing.T) {
	p := mustParse(t, "5000,127.0.0.1:6000/tcp", "80:5000/tcp,81:6000", "")
	verdict := func(r Request) Verdict { return p.Decide(r).Verdict }
	require.Equal(t, Decision{Verdict: Rewrite, Port: 5000},
		p.Decide(Request{Bind, TCP, anywhere, 80, false}))
	require.Equal(t, Deny, verdict(Request{Bind, UDP, anywhere, 80, false}),
		"a map for another protocol")
	require.Equal(t, Deny, verdict(Request{Bind, TCP, anywhere, 81, false}),
		"the port to bind is not allowed at this address")
	loopback := netip.MustParseAddr("127.0.0.1")
	require.Equal(t, Rewrite, verdict(Request{Bind, TCP, loopback, 81, false}))
	require.Equal(t, Deny, verdict(Request{Listen, TCP, anywhere, 80, false}),
		"listen is never rewritten")
	require.Equal(t, Allow, verdict(Request{Listen, TCP, anywhere, 5000, false}))
}

// A port that is both listed and mapped is rewritten.
func TestAMapWinsOverTheListedPort(t *testing.T) {
	p := mustParse(t, "80,5000", "80:5000", "")
	require.Equal(t, Decision{Verdict: Rewrite, Port: 5000},
		p.Decide(Request{Bind, TCP, anywhere, 80, false}))
}

func TestBadMapsAndModesAreNamed(t *testing.T) {
	for _, c := range []struct{ maps, mode, says string }{
		{"80", "",
			`"80" rewrites nothing: write the port asked for and the port to bind, as in 80:5000`},
		{"80:5001", "", "--map 80:5001 binds 5001, which -p 5000 does not list: add 5001 there"},
		{"80:5000,80:5000", "", "both rewrite port 80"},
		{"80:5000/tcp,80:5000", "", "both rewrite port 80"},
		{"0:5000", "", "port 0 can't be rewritten"},
		{"80:5000/icmp", "", "is not a protocol"},
		{"80:66000", "", `"66000" is not a port to map: write a number from 1 to 65535`},
		{"a:b", "", `"a:b": "a" is not a port to map`},
		{"80:none", "", `"none" is not a port to map`},
		{"80-90:5000", "", `"80-90" is not a port to map: write a number from 1 to 65535;` +
			" neither ranges nor addresses can be mapped"},
		{"127.0.0.1:80:5000", "", "neither ranges nor addresses can be mapped"},
		{"80/tcp:5000", "", "the protocol comes last: write 80:5000/tcp"},
		{"", "loud", `--mode: "loud" is not a mode: write enforce or audit`},
	} {
		_, err := ParsePolicy(Texts{Ports: "5000", Map: c.maps, Mode: c.mode})
		require.ErrorContains(t, err, c.says)
	}
}

// In audit mode the reason is the one for which enforce mode would deny the request.
func TestAuditLetsAllThroughAndSaysWhatEnforceWouldHave(t *testing.T) {
	p := mustParse(t, "5000", "80:5000", "audit")
	forbidden := Request{Bind, TCP, anywhere, 5001, false}
	require.Equal(t, Decision{
		Verdict: Allow, Port: 5001, Audited: true,
		Reason: Reason{request: forbidden, port: 5001, source: "-p 5000"},
	}, p.Decide(forbidden))
	require.Equal(t, Decision{Verdict: Allow, Port: 5000},
		p.Decide(Request{Bind, TCP, anywhere, 5000, false}))
	require.Equal(t, Decision{Verdict: Rewrite, Port: 5000},
		p.Decide(Request{Bind, TCP, anywhere, 80, false}))
}

// A client binds to port 0, as a resolver does. So that takes no rule, unless the source
// of a limit says so.
func TestABindToPortZeroIsAClients(t *testing.T) {
	r := Request{Bind, UDP, anywhere, 0, false}
	for ports, ephemeral := range map[string]string{"5000": "", "none": "allow"} {
		p, err := ParsePolicy(Texts{Ports: ports, Ephemeral: ephemeral})
		require.NoError(t, err)
		require.Equal(t, Decision{Verdict: Allow}, p.Decide(r))
	}
	for ports, allowed := range map[string]bool{"5000": false, "none": false, "5000,0": true} {
		p, err := ParsePolicy(Texts{Ports: ports, Ephemeral: "deny"})
		require.NoError(t, err)
		require.Equal(t, allowed, p.Decide(r).Verdict == Allow, ports)
		require.Contains(t, p.String(), "ephemeral=deny")
	}
	denied := DenyAll("no annotation")
	require.Equal(t, Deny, denied.Decide(r).Verdict)
	_, err := ParsePolicy(Texts{Ports: "5000", Ephemeral: "no"})
	require.ErrorContains(t, err, `--ephemeral: write allow or deny, not "no"`)
}

// A port that the kernel picked can be any port, so only a rule for port 0 allows to
// listen on it. The agent passes port 0 for it. Another port that has no rule is that of
// a socket that a command inherited, or comes from a direct user of this package.
func TestListenOnAPickedPortNeedsPortZero(t *testing.T) {
	for _, c := range []struct {
		ports   string
		port    uint16
		allowed bool
	}{
		{"5000", 0, false}, {"5000", 41234, false}, {"5000", 5000, true},
		{"0", 0, true}, {"0", 41234, true}, {"0/udp", 41234, false}, {"none", 0, false},
	} {
		d := mustParse(t, c.ports, "", "").Decide(Request{Listen, TCP, anywhere, c.port, false})
		require.Equal(t, c.allowed, d.Verdict == Allow, "%+v", c)
	}
}

// The supervisor asks the policy for each bind.
func TestAllowingAllocatesNothing(t *testing.T) {
	p := mustParse(t, "80,8000-8010,127.0.0.1:5000/tcp", "81:80", "")
	r := Request{Bind, TCP, netip.MustParseAddr("127.0.0.1"), 5000, false}
	require.Zero(t, testing.AllocsPerRun(100, func() { p.Decide(r) }))
}

func BenchmarkDecide(b *testing.B) {
	p := mustParse(b, "80,8000-8010,127.0.0.1:5000/tcp", "81:80", "")
	r := Request{Bind, TCP, netip.MustParseAddr("127.0.0.1"), 5000, false}
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(r)
	}
}

// A socket of IPv6 at the unspecified address serves IPv4 as well, so it needs both.
func TestADualStackSocketNeedsBothFamilies(t *testing.T) {
	for ports, allowed := range map[string]bool{
		"5000": true, "*:5000": true, "[::]:5000,0.0.0.0:5000": true, "0.0.0.0:5000,5000/tcp": true,
		"[::]:5000": false, "0.0.0.0:5000": false, "[::]:5000,127.0.0.1:5000": false,
		"[::]:5000,0.0.0.0:5000/udp": false,
	} {
		for _, operation := range []Operation{Bind, Listen} {
			r := Request{operation, TCP, netip.IPv6Unspecified(), 5000, true}
			d := mustParse(t, ports, "", "").Decide(r)
			require.Equal(t, allowed, d.Verdict == Allow, "%s of %s", operation, ports)
		}
	}
	r := Request{Bind, TCP, netip.IPv6Unspecified(), 5000, false}
	require.Equal(t, Allow, mustParse(t, "[::]:5000", "", "").Decide(r).Verdict, "IPV6_V6ONLY")
}
