package start

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/port-restricter/port-restricter/config"
)

// PolicyFlags are the flags that say what a command may bind.
type PolicyFlags struct {
	Ports []string

	maps            []string
	mode, ephemeral string
	verbose         bool
}

// Add adds the flags to those of a command.
func (f *PolicyFlags) Add(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&f.Ports, "port", "p", nil,
		"`PORTS` that may be bound: 5000, 8000-8010, 53/udp, 127.0.0.1:5000, [::1]:5000/tcp;"+
			" 0 to listen on a port of the kernel's choice; none for no port at all;"+
			" may be repeated")
	flags.StringArrayVar(&f.maps, "map", nil,
		"`ASKED:BOUND`, for example 80:5000: a bind to port 80 gets port 5000,"+
			" which -p must allow; may be repeated")
	flags.StringVar(&f.mode, "mode", "",
		"`MODE`: enforce, or audit, which allows every bind and logs those"+
			" that enforce would refuse (default enforce)")
	flags.StringVar(&f.ephemeral, "ephemeral", "",
		"`WORD`: allow, or deny, which refuses a bind to port 0 unless -p has 0: many clients bind"+
			" to it, name resolvers among them (default allow)")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print one line for each decision")
}

// Texts returns the values of which a policy is made.
func (f *PolicyFlags) Texts() config.Texts {
	return config.Texts{
		Ports: strings.Join(f.Ports, ","), Map: strings.Join(f.maps, ","),
		Mode: f.mode, Ephemeral: f.ephemeral,
	}
}

// Arguments returns the flags as they are on a command line.
func (f *PolicyFlags) Arguments() (args []string) {
	for _, port := range f.Ports {
		args = append(args, "-p", port)
	}
	for _, m := range f.maps {
		args = append(args, "--map", m)
	}
	if f.mode != "" {
		args = append(args, "--mode", f.mode)
	}
	if f.ephemeral != "" {
		args = append(args, "--ephemeral", f.ephemeral)
	}
	if f.verbose {
		args = append(args, "--verbose")
	}
	return args
}
