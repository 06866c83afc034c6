package bench

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	// reference is what ratios are to, where it was measured.
	reference = "minimal C supervisor"
	// inRunc is how the names of ways for containers end.
	inRunc = ", runc"
)

// A table collects one scenario's measurements by way, in the order they came.
type table struct {
	title string
	ways  []string
	all   map[string][]measurement
}

func newTable(title string) *table { return &table{title: title, all: map[string][]measurement{}} }

func (t *table) add(way string, m measurement) {
	if t.all[way] == nil {
		t.ways = append(t.ways, way)
	}
	t.all[way] = append(t.all[way], m)
}

// median, min and max of what each round says.
func spread[T int64 | float64](values []T) (median, low, high T) {
	slices.Sort(values)
	return values[len(values)/2], values[0], values[len(values)-1]
}

func each[T int64 | float64](from []measurement, value func(measurement) T) (values []T) {
	for _, m := range from {
		values = append(values, value(m))
	}
	return values
}

// ratios are those of the same round.
func (t *table) ratios(way, to string, value func(measurement) time.Duration) (values []float64) {
	for i, m := range t.all[way] {
		values = append(values, float64(value(m))/float64(value(t.all[to][i])))
	}
	return values
}

// referenceOf is what a way's ratios are to: of a container's, what a container has.
func (t *table) referenceOf(way string) string {
	to := reference
	if strings.HasSuffix(way, inRunc) && t.all[reference+inRunc] != nil {
		to += inRunc
	}
	if t.all[to] == nil {
		return t.ways[0]
	}
	return to
}

func (t *table) print() {
	mean, p99 := func(m measurement) time.Duration { return m.mean }, func(m measurement) time.Duration { return m.p99 }
	var out strings.Builder
	fmt.Fprintf(&out, "\n### %s\n\n| way | mean | least, most | median | 99 %% | mean to %s | 99 %% to it |\n|---|---:|---:|---:|---:|---:|---:|\n", t.title, t.referenceOf(""))
	for _, way := range t.ways {
		all := t.all[way]
		m, low, high := spread(each(all, func(m measurement) int64 { return int64(m.mean) }))
		middle, _, _ := spread(each(all, func(m measurement) int64 { return int64(m.p50) }))
		last, _, _ := spread(each(all, func(m measurement) int64 { return int64(m.p99) }))
		meanTo, _, _ := spread(t.ratios(way, t.referenceOf(way), mean))
		lastTo, _, _ := spread(t.ratios(way, t.referenceOf(way), p99))
		fmt.Fprintf(&out, "| %s | %s | %s, %s | %s | %s | %.2f | %.2f |\n", way, short(m), short(low), short(high), short(middle), short(last), meanTo, lastTo)
	}
	fmt.Fprint(os.Stdout, out.String())
}

func short(nanoseconds int64) string {
	switch d := time.Duration(nanoseconds); {
	case d < 10*time.Microsecond:
		return fmt.Sprintf("%.2f µs", float64(d)/1e3)
	case d < time.Millisecond:
		return fmt.Sprintf("%.1f µs", float64(d)/1e3)
	default:
		return fmt.Sprintf("%.2f ms", float64(d)/1e6)
	}
}
