package learn

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/config"
)

// bind and listen return an event of a call that was allowed because the mode is audit.
func bind(address string, port uint16, protocol config.Protocol) Event {
	return Event{
		Container: "c1", Operation: config.Bind, Protocol: protocol, Address: address, Port: port,
		Decision: "audit",
	}
}

func listen(address string, port uint16, protocol config.Protocol) Event {
	e := bind(address, port, protocol)
	e.Operation = config.Listen
	return e
}

func learned(t *testing.T, events ...Event) *Group {
	t.Helper()
	var l Learner
	for _, e := range events {
		require.NoError(t, l.Add(e))
	}
	groups := l.Groups()
	require.Len(t, groups, 1)
	return groups[0]
}

func dual(e Event) Event {
	e.DualStack = true
	return e
}

func rewritten(e Event, bound uint16) Event {
	e.BoundPort = bound
	return e
}

func TestThePortsAreThoseThatWereSeen(t *testing.T) {
	for name, c := range map[string]struct {
		events      []Event
		ports, maps string
	}{
		"nothing": {nil, "none", ""},
		"bind, then listen": {
			[]Event{bind("127.0.0.1", 80, "tcp"), listen("127.0.0.1", 80, "tcp")},
			"127.0.0.1:80/tcp", "",
		},
		"a client": {[]Event{bind("0.0.0.0", 0, "udp"), bind("::1", 0, "tcp")}, "none", ""},
		"a port of the kernel's choice": {
			[]Event{bind("0.0.0.0", 0, "tcp"), listen("0.0.0.0", 0, "tcp")}, "0.0.0.0:0/tcp", "",
		},
		"both families": {[]Event{dual(bind("::", 80, "tcp"))}, "80/tcp", ""},
		"IPv6 only":     {[]Event{bind("::", 80, "tcp")}, "[::]:80/tcp", ""},
		"both families by two sockets": {
			[]Event{bind("::", 80, "tcp"), bind("0.0.0.0", 80, "tcp")}, "80/tcp", "",
		},
		"one address of a family that is there": {
			[]Event{
				bind("0.0.0.0", 80, "tcp"), bind("127.0.0.1", 80, "tcp"), bind("::1", 80, "tcp"),
			},
			"0.0.0.0:80/tcp,[::1]:80/tcp", "",
		},
		"mapped":    {[]Event{bind("::ffff:127.0.0.1", 80, "tcp")}, "127.0.0.1:80/tcp", ""},
		"with zone": {[]Event{bind("fe80::1%eth0", 80, "tcp")}, "[fe80::1]:80/tcp", ""},
		"in a row": {
			[]Event{bind("::1", 2, "udp"), bind("::1", 1, "udp")}, "[::1]:1/udp,[::1]:2/udp", "",
		},
		"DCCP alone": {[]Event{bind("::1", 1, "other"), bind("::1", 1, "udp")}, "[::1]:1", ""},
		"mapped to another port": {
			[]Event{
				rewritten(bind("::1", 80, "tcp"), 5000), listen("::1", 5000, "tcp"),
				rewritten(bind("::1", 443, "tcp"), 5001),
			},
			"[::1]:5000/tcp,[::1]:5001/tcp", "80:5000/tcp,443:5001/tcp",
		},
	} {
		t.Run(name, func(t *testing.T) {
			texts, err := learned(t, c.events...).Texts()
			require.NoError(t, err)
			require.Equal(t, config.Texts{Ports: c.ports, Map: c.maps}, texts)
		})
	}
}

// TestNothingIsWidenedNorMissing compares the list with the elements of all events, for every
// request that concerns one of them, and shows that each element of the list is needed.
func TestNothingIsWidenedNorMissing(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	protocols := []config.Protocol{config.TCP, config.UDP, config.SCTP, config.Other}
	addresses := []string{"0.0.0.0", "127.0.0.1", "192.0.2.1", "::", "::1"}
	ports := []uint16{0, 1, 2, 65535}
	var requests []config.Request
	for _, protocol := range protocols {
		for _, address := range addresses {
			for _, port := range ports {
				for _, both := range []bool{false, true} {
					r := config.Request{
						Operation: config.Bind, Protocol: protocol, Port: port,
						Addr: netip.MustParseAddr(address), DualStack: both && address == "::",
					}
					if port == 0 {
						r.Operation = config.Listen // a bind needs nothing
					}
					requests = append(requests, r)
				}
			}
		}
	}
	allowed := func(list string) (answers []bool) {
		policy, err := config.ParsePolicy(config.Texts{Ports: list})
		require.NoError(t, err)
		for _, r := range requests {
			answers = append(answers, policy.Decide(r).Verdict != config.Deny)
		}
		return answers
	}
	for range 300 {
		var events []Event
		var asked []string
		for range 1 + random.IntN(8) {
			i := random.IntN(len(requests))
			r := requests[i]
			e := bind(r.Addr.String(), r.Port, r.Protocol)
			e.Operation, e.DualStack = r.Operation, r.DualStack
			events = append(events, e)
			one, err := elementOf(&e)
			require.NoError(t, err)
			require.True(t, allowed(one.String())[i], "%s does not allow %v", one, r)
			asked = append(asked, one.String())
		}
		texts, err := learned(t, events...).Texts()
		require.NoError(t, err)
		want := allowed(strings.Join(asked, ","))
		require.Equal(t, want, allowed(texts.Ports), "%v, learned as %s", asked, texts.Ports)
		list := strings.Split(texts.Ports, ",")
		for i := range list {
			less := strings.Join(slices.Delete(slices.Clone(list), i, i+1), ",")
			require.NotEqual(t, want, allowed(cmp.Or(less, "none")), "%v without %d", list, i)
		}
	}
}

func TestReplicasAreOneByTheirName(t *testing.T) {
	var l Learner
	for i, pod := range []string{"web-1", "web-2", "web-1"} {
		e := bind("0.0.0.0", uint16(80+i), "tcp")
		e.Namespace, e.Pod, e.Name, e.Container = "shop", pod, "web", fmt.Sprint("id", i)
		require.NoError(t, l.Add(e))
	}
	other := bind("0.0.0.0", 90, "tcp")
	other.Namespace, other.Pod, other.Name = "else", "web-3", "web"
	require.NoError(t, l.Add(other))
	for _, id := range []string{"c1", "c2"} { // which nobody has named
		e := bind("0.0.0.0", 91, "tcp")
		e.Container = id
		require.NoError(t, l.Add(e))
	}
	var lists []string
	for _, g := range l.Groups() {
		texts, err := g.Texts()
		require.NoError(t, err)
		lists = append(lists, texts.Ports)
	}
	require.Equal(t, []string{
		"0.0.0.0:91/tcp", "0.0.0.0:91/tcp", "0.0.0.0:90/tcp",
		"0.0.0.0:80/tcp,0.0.0.0:81/tcp,0.0.0.0:82/tcp",
	}, lists)
	text := strings.Join(l.Groups()[3].comments(""), "\n")
	require.Contains(t, text, "web of namespace shop (2 containers: web-1, web-2) needs 3 ports")
	require.Contains(t, text, "0.0.0.0:81/tcp  only in web-2")
	require.Contains(t, text, "without --all, its ports are missing")
	all := bind("0.0.0.0", 80, "tcp")
	all.Decision = "allow"
	require.NotContains(t, strings.Join(learned(t, all).comments(""), "\n"), "missing")
}

func TestCommentsSayWhatAPersonMustKnow(t *testing.T) {
	failed := bind("127.0.0.1", 70, "tcp")
	failed.Errno = "EADDRINUSE"
	refused := bind("127.0.0.1", 71, "tcp")
	refused.Decision, refused.Program = "deny", "nginx"
	lost := Event{Container: "c1", Decision: "deny", Reason: "its process can't be inspected"}
	text := strings.Join(learned(t, failed, refused, lost, lost, bind("::", 0, "udp"),
		bind("192.0.2.1", 5, "udp"), bind("192.0.2.2", 5, "udp"),
		listen("::", 0, "tcp"), bind("::", 9, "other"),
		bind("::", 800, "tcp"), bind("::", 801, "tcp"), bind("::", 802, "tcp"),
	).comments("run me"), "\n")
	for _, says := range []string{
		"run me needs 9 ports",
		"127.0.0.1:70/tcp  it failed each time (EADDRINUSE), but not for the policy",
		"127.0.0.1:71/tcp  nginx; refused by the policy in force",
		"2 calls refused for a reason that no list of ports mends: its process can't be inspected",
		"1 bind to port 0, as clients do: without ephemeral=deny",
		"[::]:0/tcp        listens on a port that the kernel chose",
		"[::]:9            a protocol that has no name in a list",
		"[::]:800-802/tcp in place of the 3 ports in a row",
		"of one replica: 5/udp in their place",
	} {
		require.Contains(t, text, says)
	}
	var scattered []Event
	for i := range uint16(20) {
		scattered = append(scattered, bind("0.0.0.0", 1024+i*i*100, "udp"))
	}
	text = strings.Join(learned(t, scattered...).comments(""), "\n")
	require.Contains(t, text, "20 ports look as if they were random")
	require.Contains(t, text, "such as 0.0.0.0:1024-37124/udp")
}

func TestWhatMakesNoPolicyIsAnError(t *testing.T) {
	var events []Event
	for i := range uint16(1025) {
		events = append(events, bind("0.0.0.0", 1024+i, "udp"))
	}
	err := learned(t, events...).Write(nil, Dialects, "")
	require.ErrorContains(t, err, "makes no policy: -p: more than 1024 elements")
	http := bind("::1", 80, "tcp")
	err = learned(t, rewritten(http, 5000), rewritten(http, 5001)).Write(nil, Dialects, "")
	require.ErrorContains(t, err, "both rewrite port 80")
}
