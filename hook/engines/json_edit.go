package engines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// An object is a JSON object in a text that is edited in place: decoding and
// encoding it again would reorder its keys.
type object struct {
	text []byte
	open int // of its brace
	// members in the order of the text
	members []member
}

// A member stands at text[key:end], its value at text[value:end].
type member struct {
	name            string
	key, value, end int
}

func scanObject(text []byte, at int) (*object, error) {
	decoder := json.NewDecoder(bytes.NewReader(text[at:]))
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	if token != json.Delim('{') {
		return nil, fmt.Errorf("it is %v, no JSON object", token)
	}
	o := &object{text: text, open: at + int(decoder.InputOffset()) - 1}
	for decoder.More() {
		before := at + int(decoder.InputOffset())
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		end := at + int(decoder.InputOffset())
		m := member{name: name.(string), value: end - len(value), end: end}
		m.key = before + bytes.IndexByte(text[before:], '"')
		if _, twice := o.member(m.name); twice {
			return nil, fmt.Errorf("the key %q stands there twice; take one out", m.name)
		}
		o.members = append(o.members, m)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, errors.New("its closing brace is missing")
	}
	return o, nil
}

func (o *object) member(name string) (member, bool) {
	at := slices.IndexFunc(o.members, func(m member) bool { return m.name == name })
	if at < 0 {
		return member{}, false
	}
	return o.members[at], true
}

// insert puts a new member last, in the manner of the others.
func (o *object) insert(name, value string) []byte {
	key, _ := json.Marshal(name)
	text := string(key) + ": " + value
	if len(o.members) == 0 {
		return slices.Concat(o.text[:o.open+1], []byte(text), o.text[o.open+1:])
	}
	last := o.members[len(o.members)-1]
	return slices.Concat(o.text[:last.end], []byte(","), o.gap(), []byte(text), o.text[last.end:])
}

// gap is what stands before the last member: a new line and the indentation,
// one space, or nothing.
func (o *object) gap() []byte {
	last := o.members[len(o.members)-1]
	if len(o.members) == 1 {
		return o.text[o.open+1 : last.key]
	}
	between := o.text[o.members[len(o.members)-2].end:last.key]
	return between[bytes.IndexByte(between, ',')+1:]
}

// remove is the reverse of insert.
func (o *object) remove(name string) []byte {
	at := slices.IndexFunc(o.members, func(m member) bool { return m.name == name })
	from, to := o.open+1, o.members[at].end
	switch {
	case at > 0:
		from = o.members[at-1].end
	case len(o.members) > 1:
		from, to = o.members[0].key, o.members[1].key
	}
	return slices.Concat(o.text[:from], o.text[to:])
}
