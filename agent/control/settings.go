package control

import (
	"net/http"
	"sync"
	"time"

	"github.com/port-restricter/port-restricter/config"
)

// Settings say which rules of the administrator an agent has in force.
type Settings struct {
	File  string    `json:"file"`  // which may be missing
	Read  time.Time `json:"read"`  // when the agent read the rules that are in force
	Rules int       `json:"rules"` // how many there are
	// Problem is why what was in the file at the last reload is not in force.
	Problem string `json:"problem,omitempty"`
}

// inForce are the rules of an agent, which a reload can change while they are shown.
type inForce struct {
	mu       sync.Mutex
	settings Settings
	rules    []config.RuleText
}

// HaveRules says that the rules of a file were read, and are in force.
func (s *Server) HaveRules(file string, rules config.Rules) {
	texts := rules.Texts()
	s.inForce.mu.Lock()
	defer s.inForce.mu.Unlock()
	s.inForce.settings = Settings{File: file, Read: time.Now(), Rules: len(texts)}
	s.inForce.rules = texts
}

// KeepRules says that the file was read again and is wrong: the rules stay as they are.
func (s *Server) KeepRules(why error) {
	s.inForce.mu.Lock()
	defer s.inForce.mu.Unlock()
	s.inForce.settings.Problem = why.Error()
}

func (i *inForce) get() (Settings, []config.RuleText) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.settings, i.rules
}

func (s *Server) answerRules(w http.ResponseWriter, _ *http.Request) {
	_, rules := s.inForce.get()
	if rules == nil {
		rules = []config.RuleText{}
	}
	reply(w, rules)
}
