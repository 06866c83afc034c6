package bench

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	// reference is the way to whose measurements the others' ratios are given, if it
	// was measured.
	reference = "minimal C supervisor"
	// inRunc is the end of the name of a way that runs runc containers.
	inRunc = ", runc"
)

// A table collects the measurements of one scenario, for each way in the order of the
// rounds.
type table struct {
	title string
	ways  []string                 // in the order in which they were first measured
	all   map[string][]measurement // by way
}

func newTable(title string) *table { return &table{title: title, all: map[string][]measurement{}} }

func (t *table) add(way string, m measurement) {
	if t.all[way] == nil {
		t.ways = append(t.ways, way)
	}
	t.all[way] = append(t.all[way], m)
}

// spread returns the median, the lowest and the highest of the values of all rounds.
// It sorts values.
func spread[T int64 | float64](values []T) (median, low, high T) {
	slices.Sort(values)
	return values[len(values)/2], values[0], values[len(values)-1]
}

// each returns one value of each measurement.
func each[T int64 | float64](from []measurement, value func(measurement) T) (values []T) {
	for _, m := range from {
		values = append(values, value(m))
	}
	return values
}

// ratios returns, for each round, the ratio of a way's value to that of another way.
func (t *table) ratios(way, to string, value func(measurement) time.Duration) (values []float64) {
	for i, m := range t.all[way] {
		values = append(values, float64(value(m))/float64(value(t.all[to][i])))
	}
	return values
}

// referenceOf returns the way to which the ratios of a way are given: for a way that
// runs containers, the reference that runs containers. It is the first way of the
// table if the reference was not measured.
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

// print prints the table in Markdown. Each value is the median of the rounds, and each
// ratio the median of the ratios within a round.
func (t *table) print() {
	mean := func(m measurement) time.Duration { return m.mean }
	p99 := func(m measurement) time.Duration { return m.p99 }
	var out strings.Builder
	fmt.Fprintf(&out, "\n### %s\n\n"+
		"| way | mean | lowest, highest | median | 99 %% | mean, ratio to %s | 99 %%, ratio |\n"+
		"|---|---:|---:|---:|---:|---:|---:|\n", t.title, t.referenceOf(""))
	for _, way := range t.ways {
		all := t.all[way]
		m, low, high := spread(each(all, func(m measurement) int64 { return int64(m.mean) }))
		middle, _, _ := spread(each(all, func(m measurement) int64 { return int64(m.p50) }))
		last, _, _ := spread(each(all, func(m measurement) int64 { return int64(m.p99) }))
		meanTo, _, _ := spread(t.ratios(way, t.referenceOf(way), mean))
		lastTo, _, _ := spread(t.ratios(way, t.referenceOf(way), p99))
		fmt.Fprintf(&out, "| %s | %s | %s, %s | %s | %s | %.2f | %.2f |\n",
			way, short(m), short(low), short(high), short(middle), short(last), meanTo, lastTo)
	}
	fmt.Fprint(os.Stdout, out.String())
}

// short returns a duration in µs or ms, with three digits or more.
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
