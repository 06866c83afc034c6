package filter

import "github.com/opencontainers/runtime-spec/specs-go"

// otherOptions returns conditions on the arguments of setsockopt(2). At least one of
// them holds for every socket option that is not in bindingOptions, and none of them
// for those. Each element is the conditions of one rule.
//
// The merge needs them for a profile that permits setsockopt by name. libseccomp drops
// a refusal with conditions beside a permission without any, so the permission itself
// has to leave the refused options out.
func otherOptions() [][]specs.LinuxSeccompArg {
	var conditions [][]specs.LinuxSeccompArg
	var names []uint64
	for _, option := range bindingOptions {
		names = append(names, option.name)
		for _, level := range blocksWithout(32, 0, option.level) {
			conditions = append(conditions,
				[]specs.LinuxSeccompArg{level.arg(1), intArg(2, cInt, option.name)})
		}
	}
	for _, name := range blocksWithout(32, 0, names...) {
		conditions = append(conditions, []specs.LinuxSeccompArg{name.arg(2)})
	}
	return conditions
}

// A block is a range of C ints: those that equal value in the bits of mask.
type block struct{ mask, value uint64 }

func (b block) arg(index uint) specs.LinuxSeccompArg { return intArg(index, b.mask, b.value) }

// blocksWithout returns blocks that together contain the 2^bits numbers from start on,
// except for the holes. It halves the range until a half has no hole. start must be a
// multiple of 2^bits.
func blocksWithout(bits int, start uint64, holes ...uint64) []block {
	var inside []uint64
	for _, hole := range holes {
		if hole>>bits == start>>bits {
			inside = append(inside, hole)
		}
	}
	if len(inside) == 0 {
		return []block{{cInt &^ (1<<bits - 1), start}}
	}
	if bits == 0 {
		return nil
	}
	lower := blocksWithout(bits-1, start, inside...)
	return append(lower, blocksWithout(bits-1, start|1<<(bits-1), inside...)...)
}
