package hook

import (
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/hook/filter"
)

// Options are those of the filter, and the administrator's rules, which say what container gets it.
type Options struct {
	filter.Options
	Rules config.Rules
}
