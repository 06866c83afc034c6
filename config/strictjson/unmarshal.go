package strictjson

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Unmarshal decodes a JSON text into v, like json.Unmarshal. It fails with an *AmbiguousError
// if another reader can take the text for something else; v is decoded all the same.
func Unmarshal(text []byte, v any) error {
	if err := json.Unmarshal(text, v); err != nil {
		return err
	}
	w := walker{text: text, known: map[reflect.Type]members{}}
	return w.value(reflect.TypeOf(v), nil)
}

// A walker walks over a text that is valid JSON, with the type that each value has for package
// encoding/json. The type is nil for a value that has none there: one below an unknown key.
type walker struct {
	text  []byte
	at    int
	known map[reflect.Type]members // found so far
}

func (w *walker) value(t reflect.Type, p *place) error {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch w.next() {
	case '{':
		return w.object(t, p)
	case '[':
		return w.array(t, p)
	case '"':
		_, err := w.str(p)
		return err
	}
	for w.at < len(w.text) && strings.IndexByte(" \t\r\n,]}", w.text[w.at]) < 0 {
		w.at++ // a number, true, false or null
	}
	return nil
}

// next returns the next byte that is neither white space nor a colon nor a comma, and stops
// at it.
func (w *walker) next() byte {
	for strings.IndexByte(" \t\r\n:,", w.text[w.at]) >= 0 {
		w.at++
	}
	return w.text[w.at]
}

func (w *walker) array(t reflect.Type, p *place) error {
	var element reflect.Type
	if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		element = t.Elem()
	}
	w.at++
	for i := 0; w.next() != ']'; i++ {
		if err := w.value(element, &place{parent: p, index: i, inArray: true}); err != nil {
			return err
		}
	}
	w.at++
	return nil
}

func (w *walker) object(t reflect.Type, p *place) error {
	members, ok := w.known[t]
	if !ok {
		members = membersOf(t)
		w.known[t] = members
	}
	seen := map[string]bool{}
	w.at++
	for w.next() != '}' {
		key, err := w.key(p)
		if err != nil {
			return err
		}
		if seen[key] {
			return ambiguous(p, "the key %q occurs twice, and programs disagree on which of the"+
				" two counts: keep one of them", key)
		}
		seen[key] = true
		member, name := members.find(key)
		if name != key {
			return ambiguous(p, "the key %q is %q to programs that ignore the case, and unknown to"+
				" others: write %q, or leave it out", key, name, name)
		}
		if err := w.value(member, &place{parent: p, key: key}); err != nil {
			return err
		}
	}
	w.at++
	return nil
}
