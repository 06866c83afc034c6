package target

import "sync"

// A proofs is a set of threads of which it is proved that they share their file tables with nobody.
// A proof holds until the kernel creates a task: only by being created does a task begin to share a
// table, and only a task that is created can get the id of a thread that has ended.
type proofs struct {
	mu      sync.Mutex
	created int // how many tasks the kernel had created when all of these were proved
	threads map[int]bool
}

// proved are those of all workers: when a scan takes long, another worker takes over the session.
var proved proofs

// add records that it was proved when the kernel had created so many tasks.
func (p *proofs) add(tid, created int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.created != created {
		p.created, p.threads = created, map[int]bool{}
	}
	p.threads[tid] = true
}

// hold reports whether it was proved of the thread, and still holds.
func (p *proofs) hold(tid int) bool {
	p.mu.Lock()
	created, known := p.created, p.threads[tid]
	p.mu.Unlock()
	if !known {
		return false
	}
	now, err := tasksCreated()
	return err == nil && now == created
}
