package listening

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   " +
	"uid  timeout inode\n"

// tcpText is what Linux 6.12 has on a little-endian machine, of which the last socket is connected.
const tcpText = header +
	"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0" +
	" 4711 1 0000000000000000 100 0 0 10 0\n" +
	"   1: 0100007F:1F91 0100007F:0016 01 00000000:00000000 00:00000000 00000000  1000        0" +
	" 4712 1 0000000000000000 100 0 0 10 0\n"

func TestATableIsParsed(t *testing.T) {
	found := sockets{}
	require.NoError(t, found.parse(strings.NewReader(tcpText), "tcp"))
	require.Len(t, found, 1)
	require.EqualValues(t, 8080, found[4711].Port)

	found = sockets{}
	const udp = " 1: 00000000000000000000000000000000:0035 0:0 07 0:0 0:0 0 0 0 4713 2 0 0\n"
	require.NoError(t, found.parse(strings.NewReader(header+udp), "udp"))
	want := Socket{Protocol: "udp", Address: netip.IPv6Unspecified(), Port: 53}
	require.Equal(t, sockets{4713: want}, found)

	many := header + strings.Repeat(strings.Split(tcpText, "\n")[1]+"\n", socketLimit+1)
	err := sockets{}.parse(strings.NewReader(many), "tcp")
	require.ErrorContains(t, err, "only the first 65536")
	for _, line := range []string{
		"\n", "0: a b 07 d e f g h 1\n", "0: 0:0 b 07 d e f g h 1\n",
		"0: 00000000:000g b 07 d e f g h 1\n", "0: 00000000:0035 b 07 d e f g h i\n",
	} {
		require.Error(t, sockets{}.parse(strings.NewReader(header+line), "udp"), line)
	}
	require.NoError(t, sockets{}.parse(strings.NewReader(header), "tcp"))
}

// Each name that a process can give itself leaves its parent readable.
func TestTheNameOfAProcessIsParsed(t *testing.T) {
	for name, text := range map[string]string{
		"sleep": "7 (sleep) S 3 7", ") S 1 (": "7 () S 1 () S 3 7", "": "7 () Z 3 7",
	} {
		p, ok := parseStat(text)
		require.True(t, ok)
		require.Equal(t, process{parent: 3, name: name}, p)
	}
	for _, text := range []string{"", "7", "7 (", ")(", "7 (a) S", "7 (a) S x"} {
		_, ok := parseStat(text)
		require.False(t, ok, text)
	}
}

func TestCgroupsThatTellAContainer(t *testing.T) {
	agent := cgroups{"0": "/system.slice/agent.service", "4": "/"}
	own := cgroups{"0": "/pods/a", "4": "/"}.without(agent)
	require.Equal(t, cgroups{"0": "/pods/a"}, own)
	require.Empty(t, cgroups{"0": "/system.slice/agent.service", "4": "/"}.without(agent))
	require.Empty(t, cgroups{"0": "/system.slice"}.without(agent))
	for path, below := range map[string]bool{
		"/pods/a": true, "/pods/a/init": true, "/pods/ab": false, "/pods": false, "": false,
	} {
		require.Equal(t, below, cgroups{"0": path, "4": "/"}.below(own), path)
	}
}

func FuzzTables(f *testing.F) {
	f.Add(tcpText)
	f.Add(header + " 1: 0000000:0035 00000000:0000 07 0:0 0:0 0 0 0 4713 2 0 0\n")
	if text, err := os.ReadFile("/proc/self/net/udp6"); err == nil {
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, protocol := range []string{"tcp", "udp"} {
			found := sockets{}
			_ = found.parse(strings.NewReader(text), protocol)
			require.LessOrEqual(t, len(found), socketLimit)
			for _, s := range found {
				require.True(t, s.Address.IsValid())
			}
		}
		parseStat(text)
	})
}
