package filter

import "github.com/opencontainers/runtime-spec/specs-go"

// otherOptions are conditions of setsockopt(2) of which at least one holds for
// every option but bindingOptions, and none for those. A profile that refuses by
// default needs them: libseccomp drops a refusal with conditions beside a
// permission without, so the permission has to leave the options out itself.
func otherOptions() [][]specs.LinuxSeccompArg {
	var conditions [][]specs.LinuxSeccompArg
	var names []uint64
	for _, option := range bindingOptions {
		names = append(names, option.name)
		for _, level := range blocksWithout(32, 0, option.level) {
			conditions = append(conditions, []specs.LinuxSeccompArg{level.arg(1), intArg(2, cInt, option.name)})
		}
	}
	for _, name := range blocksWithout(32, 0, names...) {
		conditions = append(conditions, []specs.LinuxSeccompArg{name.arg(2)})
	}
	return conditions
}

// A block is the C ints that equal value in the bits of mask.
type block struct{ mask, value uint64 }

func (b block) arg(index uint) specs.LinuxSeccompArg { return intArg(index, b.mask, b.value) }

// blocksWithout covers the 2^bits numbers from start on but for the holes: by
// halves until a half has no hole.
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
