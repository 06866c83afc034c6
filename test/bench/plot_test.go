package bench

import (
	"fmt"
	"html"
	"os"
	"strings"
	"time"
)

// plotVariable is the environment variable that names the SVG file into which the
// first table of BenchmarkLatency is drawn.
const plotVariable = "PLOT"

// plot draws the table into an SVG file. Each way has a bar for its mean, a line from
// the lowest to the highest mean of a round, and a tick for the median of the 99th
// percentiles.
func (t *table) plot(path string) error {
	const row, label, width = 26, 260, 420
	type bar struct {
		mean, low, high, last float64
	}
	bars, longest := map[string]bar{}, 0.0
	for _, way := range t.ways {
		all := t.all[way]
		mean, low, high := spread(each(all, func(m measurement) int64 { return int64(m.mean) }))
		last, _, _ := spread(each(all, func(m measurement) int64 { return int64(m.p99) }))
		bars[way] = bar{float64(mean), float64(low), float64(high), float64(last)}
		longest = max(longest, bars[way].high, bars[way].last)
	}
	at := func(value float64) float64 { return label + value/longest*width }
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d"`+
		` font-family="sans-serif" font-size="12">`+"\n", label+width+80, row*(len(t.ways)+2))
	fmt.Fprintf(&out, `<rect width="100%%" height="100%%" fill="white"/><text x="8" y="17">`+
		`%s: mean, lowest to highest of %d rounds; | 99 %%</text>`+"\n",
		html.EscapeString(t.title), rounds)
	for i, way := range t.ways {
		b, y := bars[way], float64(row*(i+1))
		fmt.Fprintf(&out, `<text x="%d" y="%.0f" text-anchor="end">%s</text>`,
			label-8, y+17, html.EscapeString(way))
		fmt.Fprintf(&out, `<rect x="%d" y="%.0f" width="%.1f" height="14" fill="#4a7"/>`,
			label, y+6, at(b.mean)-label)
		fmt.Fprintf(&out, `<path d="M%.1f %.0fH%.1f" stroke="black"/>`, at(b.low), y+13, at(b.high))
		fmt.Fprintf(&out, `<path d="M%.1f %.0fv18" stroke="#a33" stroke-width="2"/>`,
			at(b.last), y+4)
		fmt.Fprintf(&out, `<text x="%.1f" y="%.0f">%s</text>`+"\n",
			at(max(b.high, b.last))+6, y+17, short(int64(time.Duration(b.mean))))
	}
	out.WriteString("</svg>\n")
	return os.WriteFile(path, []byte(out.String()), 0o644)
}
