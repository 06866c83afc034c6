package control

import (
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// eventCapacity is how many events wait for a reader before it misses some.
	eventCapacity = 1024
	// stuckAfter is how long a reader may not read before its stream is ended, if another one
	// needs the place.
	stuckAfter = 10 * time.Second
)

// A stream is one reader of events.
type stream struct {
	writing atomic.Int64 // since when, in nanoseconds; 0 while it waits for events
	end     func()
}

// streams are the readers of events. There are at most streamLimit.
type streams struct {
	mu  sync.Mutex
	all map[*stream]struct{}
}

// add adds a stream. If there are too many, it ends one that does not read.
func (s *streams) add(one *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[*stream]struct{}{}
	}
	if len(s.all) >= streamLimit {
		stuck := s.stuck()
		if stuck == nil {
			return false
		}
		stuck.end()
		delete(s.all, stuck)
	}
	s.all[one] = struct{}{}
	return true
}

// stuck returns the stream that is not read for the longest time, if that is long. s.mu is held.
func (s *streams) stuck() (longest *stream) {
	since := time.Now().Add(-stuckAfter).UnixNano()
	for one := range s.all {
		if began := one.writing.Load(); began != 0 && began < since {
			since, longest = began, one
		}
	}
	return longest
}

func (s *streams) remove(one *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, one)
}

func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// answerEvents writes events, and how many the reader missed, until the reader goes away. A reader
// may take as long as it likes, while there is room for others.
func (s *Server) answerEvents(w http.ResponseWriter, r *http.Request) {
	connection := http.NewResponseController(w)
	var never time.Time
	if err := errors.Join(
		connection.SetReadDeadline(never), connection.SetWriteDeadline(never),
	); err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	one := &stream{end: func() { _ = connection.SetWriteDeadline(time.Now()) }}
	if !s.streams.add(one) {
		fail(w, http.StatusServiceUnavailable, errors.New(
			"as many programs read events as the agent allows: end one of them"))
		return
	}
	defer s.streams.remove(one)
	events := s.source.SubscribeContainer(
		r.FormValue("container"), r.FormValue("all") == "1", eventCapacity)
	defer events.Close()

	w.Header().Set("Content-Type", "application/jsonl")
	encoder := json.NewEncoder(w)
	// What is written is sent once no event waits: in a storm, many at a time.
	write := func(values ...any) (err error) {
		one.writing.Store(time.Now().UnixNano())
		defer one.writing.Store(0)
		for _, value := range values {
			err = errors.Join(err, encoder.Encode(value))
		}
		if len(events.C) == 0 {
			err = errors.Join(err, connection.Flush())
		}
		return err
	}
	// At once, so that the reader knows that it has subscribed.
	for err := errors.Join(write(), connection.Flush()); err == nil; {
		select {
		case event := <-events.C:
			err = write(event)
			if n := events.Missed(); n > 0 {
				err = errors.Join(err, write(Missed{n}))
			}
		case <-r.Context().Done():
			return
		}
	}
}
