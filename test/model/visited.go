package model

import "hash/maphash"

// visited are the states that were reached, in their order. It is a set as a map is, but a map
// would keep each of so large keys a second time.
type visited struct {
	states []state
	seed   maphash.Seed
	table  []int32 // 1 + the index of a state, at or behind the place of its hash; 0: free
}

func newVisited() *visited {
	return &visited{seed: maphash.MakeSeed(), table: make([]int32, 1<<12)}
}

// add adds a state, and reports whether it is new.
func (v *visited) add(s *state) bool {
	if 2*len(v.states) >= len(v.table) {
		v.table = make([]int32, 2*len(v.table))
		for i := range v.states {
			v.table[v.place(&v.states[i])] = int32(i + 1)
		}
	}
	at := v.place(s)
	if v.table[at] != 0 {
		return false
	}
	v.states = append(v.states, *s)
	v.table[at] = int32(len(v.states))
	return true
}

// place returns where s is in the table, or the free place for it.
func (v *visited) place(s *state) int {
	mask := len(v.table) - 1
	at := int(maphash.Comparable(v.seed, *s)) & mask
	for v.table[at] != 0 && v.states[v.table[at]-1] != *s {
		at = (at + 1) & mask
	}
	return at
}
