package target

import (
	"sync"
	"sync/atomic"
)

// hungLimit is how many scanner threads may hang before every scan looks at the
// status of each task first. That makes a scan some ten times slower, but then no
// task of another container can take a scanner any more.
const hungLimit = 32

// hungTasks are the tasks at which scanners hang, with the number of these scanners.
type hungTasks struct {
	mu       sync.Mutex
	scanners map[int]int
	all      atomic.Int32
}

var hung = hungTasks{scanners: make(map[int]int)}

func (h *hungTasks) add(task int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.scanners[task]++
	h.all.Add(1)
}

func (h *hungTasks) remove(task int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all.Add(-1)
	if h.scanners[task]--; h.scanners[task] == 0 {
		delete(h.scanners, task)
	}
}

// has reports whether a scanner hangs at the task.
func (h *hungTasks) has(task int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.scanners[task] > 0
}

// mayHang reports whether a scan must prove what it can about the task before it
// inspects the task.
func (h *hungTasks) mayHang(task int) bool {
	all := h.all.Load() // no lock, since the answer is nearly always no
	return all > 0 && (all >= hungLimit || h.has(task))
}

// tasks returns the tasks at which scanners hang.
func (h *hungTasks) tasks() (all []int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for task := range h.scanners {
		all = append(all, task)
	}
	return all
}
