package filter

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The blocks do not overlap, contain no hole, and together have the size of all C ints
// less the holes. So every socket option stays permitted, except the refused ones.
func TestBlocksCoverEveryIntOnceExceptTheHoles(t *testing.T) {
	for _, holes := range [][]uint64{
		{}, {0}, {132}, {cInt}, {51, 100}, {0, 1, 2, 3}, {1 << 31, 1<<31 - 1},
	} {
		blocks := blocksWithout(32, 0, holes...)
		size := uint64(len(holes))
		for i, a := range blocks {
			size += cInt - a.mask + 1
			for _, hole := range holes {
				require.NotEqual(t, a.value, hole&a.mask, "%#x contains the hole %#x", a, hole)
			}
			for _, b := range blocks[:i] {
				require.NotEqual(t, a.value&b.mask, b.value&a.mask, "%#x and %#x overlap", a, b)
			}
		}
		require.EqualValues(t, 1<<32, size, "blocks with %d holes", len(holes))
	}
}
