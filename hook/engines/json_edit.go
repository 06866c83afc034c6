package engines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// An object is a JSON object in a text that is edited in place: decoding and
// encoding the text would reorder the keys and lose the white space.
type object struct {
	text    []byte
	open    int      // the index of its opening brace in text
	members []member // in the order of the text
}

// A member is a key with its value. The member is text[key:end], its value
// text[value:end].
type member struct {
	name            string
	key, value, end int
}

// scanObject returns the object that begins at text[at:], perhaps after white
// space.
func scanObject(text []byte, at int) (*object, error) {
	decoder := json.NewDecoder(bytes.NewReader(text[at:]))
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	if token != json.Delim('{') {
		return nil, fmt.Errorf("want a JSON object, found %v", token)
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
			return nil, fmt.Errorf("the key %q is there twice; remove one of the two", m.name)
		}
		o.members = append(o.members, m)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, errors.New("the closing brace is missing")
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

// insert returns the text with a new last member, laid out like the other members.
func (o *object) insert(name, value string) []byte {
	key, _ := json.Marshal(name)
	text := string(key) + ": " + value
	if len(o.members) == 0 {
		return slices.Concat(o.text[:o.open+1], []byte(text), o.text[o.open+1:])
	}
	last := o.members[len(o.members)-1]
	return slices.Concat(
		o.text[:last.end], []byte(","), o.gap(), []byte(text), o.text[last.end:],
	)
}

// gap returns the white space before the last member: a line end and the
// indentation, one space, or nothing.
func (o *object) gap() []byte {
	last := o.members[len(o.members)-1]
	if len(o.members) == 1 {
		return o.text[o.open+1 : last.key]
	}
	between := o.text[o.members[len(o.members)-2].end:last.key]
	return between[bytes.IndexByte(between, ',')+1:]
}

// remove returns the text without a member that is in the object. It is the reverse
// of insert.
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
