package settings

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// A placer finds the lines of keys in TOML. Package toml tells them in its errors only.
type placer struct {
	path     string
	newlines []int             // offsets
	places   map[string]string // FILE:LINE by the key: listener, rule.0, rule.0.allow
}

// placesIn returns the places of all keys, up to the first error of syntax, of which package toml
// says more. It fails for a key in another case, which could be there twice, and for [rule].
func placesIn(path string, text []byte) (map[string]string, error) {
	p := placer{path: path, places: map[string]string{}}
	for at := 0; ; at++ {
		next := bytes.IndexByte(text[at:], '\n')
		if next < 0 {
			break
		}
		at += next
		p.newlines = append(p.newlines, at)
	}
	var parser unstable.Parser
	parser.Reset(text)
	prefix, rules := "", 0
	for parser.NextExpression() {
		node := parser.Expression()
		var err error
		switch node.Kind {
		case unstable.ArrayTable:
			prefix = fmt.Sprintf("rule.%d", rules)
			rules++
			err = p.keys("", node)
			p.places[prefix] = p.at(node)
		case unstable.Table:
			if err = p.keys("", node); err == nil && p.places["rule"] == p.at(node) {
				err = fmt.Errorf("%s: a rule begins with [[rule]]", p.at(node))
			}
		case unstable.KeyValue:
			err = p.value(prefix, node)
		}
		if err != nil {
			return nil, err
		}
	}
	return p.places, nil
}

// at returns the place of a node's key.
func (p *placer) at(node *unstable.Node) string {
	keys := node.Key()
	keys.Next()
	line, _ := slices.BinarySearch(p.newlines, int(keys.Node().Raw.Offset))
	return fmt.Sprintf("%s:%d", p.path, line+1)
}

// keys notes the place of a key, which can have several parts.
func (p *placer) keys(prefix string, node *unstable.Node) error {
	for keys := node.Key(); keys.Next(); {
		part := string(keys.Node().Data)
		if strings.ToLower(part) != part {
			return fmt.Errorf("%s: unknown key %q: %s", p.at(node), part, keysText)
		}
		prefix = join(prefix, part)
		p.places[prefix] = p.at(node)
	}
	return nil
}

// value notes the place of a key, and those of the keys in its value.
func (p *placer) value(prefix string, node *unstable.Node) error {
	if err := p.keys(prefix, node); err != nil {
		return err
	}
	value := node.Value()
	if value.Kind != unstable.Array {
		return nil
	}
	index := 0
	for tables := value.Children(); tables.Next(); index++ {
		prefix := fmt.Sprintf("rule.%d", index)
		p.places[prefix] = p.at(node)
		if tables.Node().Kind != unstable.InlineTable {
			continue
		}
		for pairs := tables.Node().Children(); pairs.Next(); {
			if err := p.value(prefix, pairs.Node()); err != nil {
				return err
			}
		}
	}
	return nil
}

func join(prefix, part string) string {
	if prefix == "" {
		return part
	}
	return prefix + "." + part
}

// placesOfRule returns the places of one rule's keys.
func placesOfRule(places map[string]string, index int) map[string]string {
	name := fmt.Sprintf("rule.%d", index)
	found := map[string]string{"": places[name]}
	for _, key := range []string{"namespace", "pod", "container", "allow", "default", "audit"} {
		if place, has := places[name+"."+key]; has {
			found[key] = place
		}
	}
	return found
}
