package learn

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// longestLine bounds a line in bytes: an event has a few texts, none longer than 2 KiB.
const longestLine = 64 << 10

// A Rubbish is a line that is no event.
type Rubbish struct {
	Line int
	Err  error
}

// Read takes the events in JSON lines into account, as `port-restricter events` writes them. It
// returns the first few lines that are no event, and how many there are. match says which events
// count.
func (l *Learner) Read(r io.Reader, match func(*Event) bool) (bad []Rubbish, n int, err error) {
	lines := bufio.NewReaderSize(r, longestLine)
	for number := 1; ; number++ {
		line, err := lines.ReadSlice('\n')
		ended := errors.Is(err, io.EOF)
		problem := error(nil)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			problem = fmt.Errorf("it has more than %d bytes", longestLine)
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = lines.ReadSlice('\n')
			}
			if ended = errors.Is(err, io.EOF); err != nil && !ended {
				return bad, n, err
			}
		case err != nil && !ended:
			return bad, n, err
		case len(bytes.TrimSpace(line)) > 0:
			problem = l.readLine(line, match)
		}
		if errors.Is(problem, ErrTooMuch) {
			return bad, n, fmt.Errorf("line %d: %w", number, problem)
		}
		if problem != nil {
			if n++; n <= few {
				bad = append(bad, Rubbish{number, problem})
			}
		}
		if ended {
			return bad, n, nil
		}
	}
}

func (l *Learner) readLine(line []byte, match func(*Event) bool) error {
	var e struct {
		Event
		Missed uint64 `json:"missed"`
	}
	switch err := json.Unmarshal(line, &e); {
	case err != nil:
		return fmt.Errorf("it is no event: %w", err)
	case e.Missed > 0:
		return fmt.Errorf("%d events are missing: who recorded them was too slow", e.Missed)
	case !match(&e.Event):
		return nil
	}
	return l.Add(e.Event)
}
