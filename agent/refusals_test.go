package agent

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/agent/target"
	"github.com/port-restricter/port-restricter/config"
)

// refusalOf returns the record of a refused bind.
func refusalOf(port uint16) *record {
	return &record{
		operation: config.Bind, protocol: config.TCP, decision: "deny",
		at:      netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), port),
		reason:  config.NewReason("port is not in annotation port-restricter.port=5000"),
		program: target.Program{Name: "a-program-name", Exe: "/usr/lib/path/to/it", UID: 1000},
	}
}

// A logBuffer has what was logged, also by timers.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *logBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Reset()
}

// loggedBy returns an audit that logs into a buffer as an agent does.
func loggedBy(buffer *logBuffer) *audit {
	log := logrus.New()
	log.SetOutput(buffer)
	log.SetFormatter(&logrus.JSONFormatter{})
	return newAudit(log, strings.Repeat("f", 64),
		config.Identity{Namespace: "a-namespace", Pod: "a-pod-of-a-deployment-7d4b9c", Name: "web"})
}

// A container that is refused without end, in ever new ways, does not fill the disk.
func TestTheLogOfADayIsBounded(t *testing.T) {
	for name, portOf := range map[string]func(n int) uint16{
		"one port":         func(int) uint16 { return 80 },
		"a port each time": func(n int) uint16 { return uint16(n) },
		"a new one at times": func(n int) uint16 {
			return uint16(n / 997)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var buffer logBuffer
				a := loggedBy(&buffer)
				const interval = 200 * time.Millisecond
				for n := range int(24 * time.Hour / interval) {
					r := refusalOf(portOf(n))
					a.look(r, &fakeTarget{})
					a.write(42, r)
					time.Sleep(interval)
				}
				time.Sleep(2 * countAfter)
				require.Less(t, len(buffer.String()), 1<<20)
				require.LessOrEqual(t, len(a.refusals.kinds), kindLimit)

				// Every refusal is in the log, in a line or in a count.
				total := 0
				for line := range strings.Lines(buffer.String()) {
					count := 1
					if _, after, found := strings.Cut(line, `"count":`); found {
						_, err := fmt.Sscan(strings.Split(after, ",")[0], &count)
						require.NoError(t, err)
					}
					total += count
				}
				require.Equal(t, int(24*time.Hour/interval), total)
			})
		})
	}
}

// Nor does one that gives its program the longest and worst name.
func TestALineOfTheLogIsShort(t *testing.T) {
	var buffer logBuffer
	a := loggedBy(&buffer)
	for _, text := range []string{strings.Repeat("\x01", 4095), strings.Repeat("\u202e", 1365)} {
		r := refusalOf(80)
		r.program.Exe = text
		r.reason = config.NewReason(text)
		r.logged = true
		buffer.Reset()
		a.write(42, r)
		const lines = kindBurst + int(24*time.Hour/kindInterval)
		require.Less(t, lines*len(buffer.String()), 1<<20)
	}
}

// The first refusal of its kind is logged at once, with all that helps to find its program. The
// others make a count.
func TestTheFirstRefusalIsLoggedAtOnceAndThenACount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var buffer logBuffer
		a := loggedBy(&buffer)
		refuse := func(port uint16, times int) {
			for range times {
				r := refusalOf(port)
				a.look(r, &fakeTarget{program: refusalOf(0).program})
				a.write(42, r)
			}
		}
		refuse(80, 1)
		for _, part := range []string{
			`"msg":"bind deny"`, `"port":80`, `"program":"a-program-name"`, `"uid":1000`,
			`"exe":"/usr`,
			`"namespace":"a-namespace"`, `"pid":42`, `"reason":"port is not`,
		} {
			require.Contains(t, buffer.String(), part)
		}
		buffer.Reset()
		refuse(80, 1000)
		require.Empty(t, buffer.String())
		time.Sleep(time.Second)
		refuse(443, 8)
		require.Equal(t, 1, strings.Count(buffer.String(), "\n"), "a new kind")
		buffer.Reset()
		time.Sleep(countAfter + 1)
		require.Contains(t, buffer.String(), `"count":1007`)
		require.Contains(t, buffer.String(), "bind 80/tcp 1000 times, bind 443/tcp 7 times")

		buffer.Reset()
		time.Sleep(24 * time.Hour)
		require.Empty(t, buffer.String(), "nothing happened")
		require.EqualValues(t, 1007, a.refusals.skippedLines())

		all := a.refusals.list()
		require.Len(t, all, 2)
		require.EqualValues(t, 443, all[0].First.Port)
		require.EqualValues(t, 8, all[0].Count)
	})
}

// What a container calls its program is no command to a terminal.
func TestANameWithAnEscapeIsPrintable(t *testing.T) {
	var buffer logBuffer
	a := loggedBy(&buffer)
	a.log.Logger.SetFormatter(&logrus.TextFormatter{DisableQuote: true})
	r := refusalOf(80)
	r.program.Name, r.program.Exe = "\x1b]0;x\a", "/\x9b31m\n/nc"
	a.write(42, r)
	e := a.event(42, r)
	for _, text := range []string{buffer.String(), e.Program, e.Exe} {
		require.NotContains(t, text, "\x1b")
		require.NotContains(t, text, "\x9b31m\n")
	}
}
