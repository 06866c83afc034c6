package control

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/port-restricter/port-restricter/config/inquiry"
)

// fail answers a request by an error.
func fail(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem{err.Error()})
}

// reply answers a request by a value. An error is one of the connection.
func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func (s *Server) answerAgent(w http.ResponseWriter, _ *http.Request) {
	about, stats := s.agent, s.source.Stats()
	about.Containers, about.Sessions = stats.Containers, stats.Sessions
	about.Unprotected, about.Readers = stats.Unprotected, s.streams.count()
	about.Settings, _ = s.inForce.get()
	reply(w, about)
}

// answerContainers writes the list piece by piece: its text can be long, and a list of 10,000
// containers is not wanted in memory twice.
func (s *Server) answerContainers(w http.ResponseWriter, r *http.Request) {
	select {
	case s.lists <- struct{}{}:
		defer func() { <-s.lists }()
	case <-r.Context().Done():
		return
	}
	w.Header().Set("Content-Type", "application/json")
	buffered := bufio.NewWriterSize(pieceWriter{s, w}, 64<<10)
	encoder, separator := json.NewEncoder(buffered), "["
	for _, c := range s.source.Containers() {
		c.Annotations, c.Metadata = nil, "" // long, and in the Details
		_, err := buffered.WriteString(separator)
		if err == nil {
			err = encoder.Encode(c)
		}
		if err != nil {
			return // the client is gone
		}
		separator = ","
	}
	if separator == "[" {
		_, _ = buffered.WriteString(separator)
	}
	_, _ = buffered.WriteString("]\n")
	_ = buffered.Flush()
}

// A pieceWriter writes an answer whose client may take its time for each piece.
type pieceWriter struct {
	s *Server
	w http.ResponseWriter
}

func (p pieceWriter) Write(piece []byte) (int, error) {
	p.s.beginPiece(p.w)
	return p.w.Write(piece)
}

func (s *Server) answerContainer(w http.ResponseWriter, r *http.Request) {
	id, bundle := r.PathValue("id"), r.FormValue("bundle")
	for _, c := range s.source.ContainersOf(id) {
		if bundle == "" || c.Bundle == bundle {
			report := s.listening(r.Context(), c)
			s.beginPiece(w) // it may have taken long
			reply(w, Details{Container: c, Listening: report})
			return
		}
	}
	fail(w, http.StatusNotFound,
		fmt.Errorf("the agent serves no container with the id %q", inquiry.Printable(id)))
}
