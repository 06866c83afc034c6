package engines

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/port-restricter/port-restricter/internal/lazyregexp"
)

// A table is a TOML table.
type table = map[string]any

// readTable returns the content of a TOML file below Root. A file that does not
// exist is an empty table.
func (o Options) readTable(path string) (table, error) {
	text, err := o.read(path)
	if err != nil {
		return nil, err
	}
	return parseTable(o.shown(path), text)
}

// parseTable parses TOML. Errors name path.
func parseTable(path string, text []byte) (table, error) {
	parsed := table{}
	err := toml.Unmarshal(text, &parsed)
	if detail := (*toml.DecodeError)(nil); errors.As(err, &detail) {
		return nil, fmt.Errorf("read %s: not valid TOML:\n%s", path, detail)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return parsed, nil
}

// subtable returns the table to which keys lead, or nil if there is none.
func subtable(t table, keys ...string) table {
	for _, key := range keys {
		t, _ = t[key].(table)
	}
	return t
}

// merge returns the table to with the keys of from set in it. Where both have a
// table, the two are merged.
func merge(to, from table) table {
	merged := maps.Clone(to)
	if merged == nil {
		merged = table{}
	}
	for key, value := range from {
		if deeper, ok := value.(table); ok {
			value = merge(subtable(merged, key), deeper)
		}
		merged[key] = value
	}
	return merged
}

// asArray returns value if it is an array, or nil.
func asArray(value any) []any {
	array, _ := value.([]any)
	return array
}

// stringsIn returns the strings of an array, without its other elements.
func stringsIn(value any) []string {
	var found []string
	for _, element := range asArray(value) {
		if text, ok := element.(string); ok {
			found = append(found, text)
		}
	}
	return found
}

// renderTable returns the TOML of the table to which keys lead, and of the tables
// in it. It writes no headers for the tables around it: the file may have those
// already, and TOML allows only one header for each table.
func renderTable(t table, keys ...string) (string, error) {
	own := maps.Clone(t)
	maps.DeleteFunc(own, func(_ string, value any) bool { _, is := value.(table); return is })
	values, err := toml.Marshal(own)
	if err != nil {
		return "", err
	}
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = renderKey(key)
	}
	text := "[" + strings.Join(names, ".") + "]\n" + string(values)
	for _, key := range slices.Sorted(maps.Keys(t)) {
		if deeper, ok := t[key].(table); ok {
			more, err := renderTable(deeper, append(slices.Clone(keys), key)...)
			if err != nil {
				return "", err
			}
			text += "\n" + more
		}
	}
	return text, nil
}

var bareKey = lazyregexp.New(`^[A-Za-z0-9_-]+$`)

// renderKey returns a key as TOML, in quotes if it needs them.
func renderKey(key string) string {
	if bareKey().MatchString(key) {
		return key
	}
	return strconv.Quote(key)
}

// renderList returns strings as a TOML array with one string on each line.
func renderList(values []string) string {
	text := "[\n"
	for _, value := range values {
		text += "\t" + strconv.Quote(value) + ",\n"
	}
	return text + "]"
}
