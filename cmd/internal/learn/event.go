package learn

import (
	"time"

	"github.com/port-restricter/port-restricter/config"
)

// An Event is one decision.
type Event struct {
	Time      time.Time `json:"time"`
	Container string    `json:"container"` // its id
	Namespace string    `json:"namespace,omitempty"`
	Pod       string    `json:"pod,omitempty"`
	Name      string    `json:"name,omitempty"`

	Program   string           `json:"program,omitempty"`
	Operation config.Operation `json:"operation"`
	Protocol  config.Protocol  `json:"protocol,omitempty"`
	Address   string           `json:"address,omitempty"`
	Port      uint16           `json:"port"`
	DualStack bool             `json:"dual_stack,omitempty"`
	BoundPort uint16           `json:"bound_port,omitempty"`
	Decision  string           `json:"decision"`
	Reason    string           `json:"reason,omitempty"`
	Errno     string           `json:"errno,omitempty"`
}
