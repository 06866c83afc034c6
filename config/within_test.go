package config

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithin(t *testing.T) {
	for _, test := range []struct{ list, bound, tooMuch string }{
		{"8000", "8000-8099", ""},
		{"8000-8099", "8050-8099,8000-8049", ""},
		{"8000-8099", "8000-8049,8051-8099", "8000-8099"},
		{"8000,80", "8000-8099", "80"},
		{"8000/tcp", "8000", ""},
		{"8000", "8000/tcp", "8000 is more than limit: for one protocol write 8000/tcp"},
		{"8000", "8000/tcp,8000/udp,8000/sctp", "8000 is more than limit: for one"}, // others: DCCP
		{"127.0.0.1:80", "0.0.0.0:80", ""},
		{"0.0.0.0:80", "127.0.0.1:80", "0.0.0.0:80"},
		{"80", "0.0.0.0:80,[::]:80", ""},
		{"80", "0.0.0.0:80", "80"},
		{"[::1]:80", "0.0.0.0:80", "[::1]:80"},
		{"0", "1-65535", ""},
		{"1-65535", "0", "1-65535"},
		{"1-65535", "1-65535", ""},
		{"1-65535", "1-32767,32768-65535", "1-65535"}, // it has the kernel's choice, too
		{"1-65535", "1-32767,32768-65535,0", ""},
		{"none", "none", ""},
		{"80", "none", "80"},
	} {
		list, err := parsePorts(test.list)
		require.NoError(t, err)
		bound, err := parsePorts(test.bound)
		require.NoError(t, err)
		err = list.within(&limit{source: "limit", ports: bound})
		if test.tooMuch == "" {
			require.NoError(t, err, "%s within %s", test.list, test.bound)
		} else {
			require.ErrorContains(t, err, test.tooMuch, "%s within %s", test.list, test.bound)
		}
	}
}

// randomPorts returns a list of few ports, addresses and protocols, so that lists often meet.
func randomPorts(r *rand.Rand) (list ports) {
	edges := []uint16{1, 2, 3, 4, 100, 101, 65534, 65535}
	addrs := []netip.Addr{
		{}, netip.IPv4Unspecified(), netip.IPv6Unspecified(),
		netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"),
	}
	for range r.IntN(6) {
		e := element{
			addr:     addrs[r.IntN(len(addrs))],
			protocol: []Protocol{"", "", TCP, UDP, SCTP}[r.IntN(5)],
		}
		switch r.IntN(8) {
		case 0: // the kernel's choice
		case 1:
			e.first, e.last = 1, 65535
		default:
			e.first, e.last = edges[r.IntN(len(edges))], edges[r.IntN(len(edges))]
			e.first, e.last = min(e.first, e.last), max(e.first, e.last)
		}
		list = append(list, e)
	}
	return list
}

// everyRequest returns a request of each kind that lists of randomPorts can tell apart.
func everyRequest() (all []Request) {
	for _, operation := range []Operation{Bind, Listen} {
		for _, protocol := range []Protocol{TCP, UDP, SCTP, Other} {
			for _, addr := range []string{"0.0.0.0", "127.0.0.1", "10.0.0.1", "::", "::1", "::2"} {
				for _, port := range []uint16{0, 1, 2, 3, 4, 5, 100, 101, 102, 65534, 65535} {
					r := Request{operation, protocol, netip.MustParseAddr(addr), port, false}
					all = append(all, r)
					if r.Addr == netip.IPv6Unspecified() {
						r.DualStack = true
						all = append(all, r)
					}
				}
			}
		}
	}
	return all
}

// What an allow takes is exactly what it does not then refuse.
func TestWithinIsWhatDecideSays(t *testing.T) {
	requests := everyRequest()
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 0))
		list, bound := randomPorts(r), randomPorts(r)
		asked := Policy{limits: []limit{{ports: list, noEphemeral: true}}}
		allowed := Policy{limits: []limit{{ports: bound, noEphemeral: true}}}
		more := slices.IndexFunc(requests, func(r Request) bool {
			return asked.Decide(r).Verdict == Allow && allowed.Decide(r).Verdict == Deny
		})
		err := list.within(&allowed.limits[0])
		if more >= 0 {
			require.Error(t, err, "%s within %s: %v", list, bound, requests[more])
		} else {
			require.NoError(t, err, "%s within %s", list, bound)
		}
	}
}

// An explanation has the decision, and the element that made it.
func TestAnExplanationIsTheDecision(t *testing.T) {
	requests := everyRequest()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var p Policy
		for range r.IntN(4) {
			p.limits = append(p.limits, limit{
				source: "a limit", ports: randomPorts(r),
				noEphemeral: r.IntN(2) == 0, audit: r.IntN(3) == 0,
			})
		}
		if r.IntN(2) == 0 {
			p.maps = portMap{{asked: 2, bound: 100}, {asked: 3, bound: 1, protocol: TCP}}
		}
		for _, request := range requests {
			e := p.Explain(request)
			require.Equal(t, p.Decide(request), e.Decision)
			require.Equal(t, e.Verdict == Rewrite, e.Map != "" && e.Verdict != Deny)
			require.Len(t, e.Limits, len(p.limits))
			for _, o := range e.Limits {
				require.False(t, o.Element != "" && !o.Allowed)
				client := request.Operation == Bind && request.Port == 0
				require.True(t, o.Element != "" || !o.Allowed || client)
			}
		}
	}
}

func TestExplainNamesTheElementOfEachLimit(t *testing.T) {
	rules := rulesOf(t, RuleText{Allow: new("1-9999/tcp,9000")})
	p, err := FromState(of(map[string]string{
		AnnotationPort: "80/tcp,[::]:443/tcp,*:8000-8010/tcp", AnnotationMap: "81:8001",
	}), "port-restricter.port=0.0.0.0:443,[::]:443,8000-8005", rules)
	require.NoError(t, err)
	explain := func(addr string, port uint16, dual bool) Explanation {
		return p.Explain(Request{Bind, TCP, netip.MustParseAddr(addr), port, dual})
	}
	annotation := "port-restricter.port=80/tcp,[::]:443/tcp,*:8000-8010/tcp"
	metadata := "port-restricter.port=0.0.0.0:443,[::]:443,8000-8005"
	allow := `allow = "1-9999/tcp,9000" of rule 1 (file:1)`

	e := explain("0.0.0.0", 81, false)
	require.Equal(t, Rewrite, e.Verdict)
	require.Equal(t, "81:8001", e.Map)
	require.Equal(t, []Opinion{
		{Source: annotation, Allowed: true, Element: "8000-8010/tcp"},
		{Source: metadata, Allowed: true, Element: "8000-8005"},
		{Source: allow, Allowed: true, Element: "1-9999/tcp"},
	}, e.Limits)

	e = explain("::", 443, true)
	require.Equal(t, Deny, e.Verdict)
	require.Equal(t, []Opinion{
		{Source: annotation},
		{Source: metadata, Allowed: true, Element: "[::]:443 and 0.0.0.0:443"},
		{Source: allow, Allowed: true, Element: "1-9999/tcp"},
	}, e.Limits)

	e = explain("0.0.0.0", 0, false) // a client's
	require.Equal(t, []Opinion{
		{Source: annotation, Allowed: true}, {Source: metadata, Allowed: true},
		{Source: allow, Allowed: true},
	}, e.Limits)
}

// A decision allocates nothing, with limits of rules, too.
func TestADecisionAllocatesNothing(t *testing.T) {
	rules := rulesOf(t, RuleText{Allow: new("8000-8099"), Default: new("8000")})
	p, err := FromState(Container{}, "port-restricter.port=1-9999", rules)
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		p.Decide(Request{Bind, TCP, anywhere, 8000, false})
		p.Decide(Request{Bind, TCP, anywhere, 80, false})
	}))
}
