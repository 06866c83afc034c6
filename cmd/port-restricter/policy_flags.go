package main

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/port-restricter/port-restricter/config"
)

// policyFlags are the flags that say what a command may bind.
type policyFlags struct {
	ports, maps []string
	mode        string
	verbose     bool
}

func (p *policyFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&p.ports, "port", "p", nil,
		"`PORTS` that may be bound: 5000, 8000-8010, 53/udp, 127.0.0.1:5000, [::1]:5000/tcp;"+
			" 0 for a port of the kernel's choice; may be repeated")
	flags.StringArrayVar(&p.maps, "map", nil,
		"`ASKED:BOUND`, for example 80:5000: a bind to port 80 gets port 5000,"+
			" which -p must allow; may be repeated")
	flags.StringVar(&p.mode, "mode", "",
		"`MODE`: enforce, or audit, which allows every bind and logs those"+
			" that enforce would refuse (default enforce)")
	flags.BoolVarP(&p.verbose, "verbose", "v", false, "print one line for each decision")
}

// policy returns the policy. replace is applied to the text of the ports and maps before.
func (p *policyFlags) policy(replace func(string) string) (config.Policy, error) {
	text := func(list []string) string { return replace(strings.Join(list, ",")) }
	return config.ParsePolicy(text(p.ports), text(p.maps), p.mode)
}

// arguments returns the flags as arguments of a command line.
func (p *policyFlags) arguments() (args []string) {
	for _, port := range p.ports {
		args = append(args, "-p", port)
	}
	for _, m := range p.maps {
		args = append(args, "--map", m)
	}
	if p.mode != "" {
		args = append(args, "--mode", p.mode)
	}
	if p.verbose {
		args = append(args, "--verbose")
	}
	return args
}
