package agent

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/time/rate"

	"github.com/port-restricter/port-restricter/config"
)

// A container can be refused as often as it likes, and must not fill the disk. What it is refused
// is logged at once when it is new, and after that as a count once in a while. All that makes less
// than 1 MiB in 24 hours.
const (
	kindLimit    = 64              // how many kinds of refusals are known of a container
	kindBurst    = 100             // how many new kinds are logged at once,
	kindInterval = 5 * time.Minute // and one more in each interval
	countAfter   = time.Minute
	countKinds   = 5 // how many kinds a count names
)

// A refusalKind is what refusals have in common that are logged at once only the first time.
type refusalKind struct {
	operation config.Operation
	protocol  config.Protocol
	at        netip.AddrPort
	decision  string
	reason    config.Reason
}

func (r *record) kind() refusalKind {
	return refusalKind{r.operation, r.protocol, r.at, r.decision, r.reason}
}

// String names a kind in a count.
func (k refusalKind) String() string {
	if !k.at.IsValid() {
		return string(k.operation)
	}
	return fmt.Sprintf("%s %d/%s", k.operation, k.at.Port(), k.protocol)
}

// Refusals are those of one kind.
type Refusals struct {
	First Event     `json:"first"`
	Last  time.Time `json:"last"`
	Count uint64    `json:"count"`
}

// known is what is known of a kind.
type known struct {
	Refusals
	counted uint64 // how many of them are in the log
}

// A refusalLog has the refusals of one container.
type refusalLog struct {
	log *logrus.Entry

	mu      sync.Mutex
	kinds   map[refusalKind]*known
	budget  *rate.Limiter
	others  uint64 // refusals of no known kind that are not in the log
	pending bool   // a count will be logged
	skipped uint64 // refusals without a line of their own, ever
}

func newRefusalLog(log *logrus.Entry) *refusalLog {
	return &refusalLog{
		log: log, kinds: make(map[refusalKind]*known),
		budget: rate.NewLimiter(rate.Every(kindInterval), kindBurst),
	}
}

// note notes a refusal. It reports whether the refusal is to be logged at once; otherwise it will
// be in a count, and note allocates nothing but the count's timer.
func (l *refusalLog) note(r *record) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	k := l.kinds[r.kind()]
	if k == nil && l.budget.AllowN(now, 1) {
		l.makeRoom()
		l.kinds[r.kind()] = &known{Refusals: Refusals{Last: now, Count: 1}, counted: 1}
		return true
	}
	if k == nil {
		l.others++
	} else {
		k.Count++
		k.Last = now
	}
	l.skipped++
	if !l.pending {
		l.pending = true
		time.AfterFunc(countAfter, l.flush)
	}
	return false
}

// makeRoom forgets the kind that was seen longest ago, if there are too many. l.mu is held.
func (l *refusalLog) makeRoom() {
	if len(l.kinds) < kindLimit {
		return
	}
	oldest := slices.MinFunc(slices.Collect(maps.Keys(l.kinds)), func(a, b refusalKind) int {
		return l.kinds[a].Last.Compare(l.kinds[b].Last)
	})
	l.others += l.kinds[oldest].Count - l.kinds[oldest].counted
	delete(l.kinds, oldest)
}

// describe keeps the event of a refusal that note reported as new.
func (l *refusalLog) describe(r *record, e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := l.kinds[r.kind()]; k != nil {
		k.First = e
	}
}

// flush logs how often the container was refused since the last count. No lock is held while the
// log is written, which can take its time.
func (l *refusalLog) flush() {
	count, uncounted := l.takeCounts()
	if count == 0 {
		return
	}
	most := slices.SortedFunc(maps.Keys(uncounted), func(a, b string) int {
		return cmp.Or(cmp.Compare(uncounted[b], uncounted[a]), cmp.Compare(a, b))
	})
	var texts []string
	for _, kind := range most[:min(len(most), countKinds)] {
		texts = append(texts, fmt.Sprintf("%s %d times", kind, uncounted[kind]))
	}
	l.log.WithFields(logrus.Fields{"count": count, "among": strings.Join(texts, ", ")}).
		Warn("refused again")
}

// takeCounts returns how many refusals are not in the log, and how many of them have a kind that
// is known.
func (l *refusalLog) takeCounts() (count uint64, uncounted map[string]uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = false
	count, uncounted = l.others, map[string]uint64{}
	for kind, k := range l.kinds {
		if more := k.Count - k.counted; more > 0 {
			uncounted[kind.String()] += more
			count += more
			k.counted = k.Count
		}
	}
	l.others = 0
	return count, uncounted
}

// skippedLines returns how many refusals had no line of their own.
func (l *refusalLog) skippedLines() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.skipped
}

// list returns the known refusals, the last one first.
func (l *refusalLog) list() (all []Refusals) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.kinds {
		if k.First.Container != "" { // otherwise it is just being described
			all = append(all, k.Refusals)
		}
	}
	slices.SortFunc(all, func(a, b Refusals) int { return b.Last.Compare(a.Last) })
	return all
}
