package strictjson

import (
	"reflect"
	"strings"
)

// members are the types of an object's members: by name for a struct, one type for all keys of
// a map, and neither for an object that has no type.
type members struct {
	byName map[string]reflect.Type
	all    reflect.Type
}

func membersOf(t reflect.Type) members {
	switch {
	case t != nil && t.Kind() == reflect.Map:
		return members{all: t.Elem()}
	case t == nil || t.Kind() != reflect.Struct:
		return members{}
	}
	byName := map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-", name == "" && field.Anonymous, !field.IsExported():
			continue // VisibleFields also has the fields of an embedded struct
		case name == "":
			name = field.Name
		}
		byName[name] = field.Type
	}
	return members{byName: byName}
}

// find returns the type of the member with this key, and the name by which package
// encoding/json finds that member, ignoring the case. An unknown key is its own name.
func (m members) find(key string) (reflect.Type, string) {
	if t, ok := m.byName[key]; ok || m.byName == nil {
		if !ok {
			t = m.all
		}
		return t, key
	}
	for name, t := range m.byName {
		// Package encoding/json folds like EqualFold: ſ (U+017F) is s, and K (U+212A) is k.
		if strings.EqualFold(name, key) {
			return t, name
		}
	}
	return nil, key
}
