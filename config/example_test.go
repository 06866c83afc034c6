package config_test

import (
	"fmt"
	"net/netip"

	"github.com/port-restricter/port-restricter/config"
)

func ExampleParsePolicy() {
	policy, err := config.ParsePolicy(config.Texts{Ports: "5000,8000-8010/tcp", Map: "80:5000"})
	if err != nil {
		panic(err)
	}
	for _, port := range []uint16{5000, 80, 443} {
		d := policy.Decide(config.Request{
			Operation: config.Bind,
			Protocol:  config.TCP,
			Addr:      netip.IPv4Unspecified(),
			Port:      port,
		})
		switch d.Verdict {
		case config.Deny:
			fmt.Println(port, "denied:", d.Reason)
		case config.Allow:
			fmt.Println(port, "allowed")
		case config.Rewrite:
			fmt.Println(port, "is bound to", d.Port)
		}
	}
	// Output:
	// 5000 allowed
	// 80 is bound to 5000
	// 443 denied: port 443/tcp at 0.0.0.0 is not in -p 5000,8000-8010/tcp
}

// The annotations of a container and the administrator's metadata must both allow a port.
func ExampleFromState() {
	annotations := map[string]string{"port-restricter.port": "5000,9000"}
	container := config.Container{ID: "web", Annotations: annotations}
	policy, err := config.FromState(container, "port-restricter.port=8000-9999", config.Rules{})
	if err != nil {
		panic(err)
	}
	fmt.Println(policy)

	container.Annotations = map[string]string{"port-restricter.port": ""}
	_, err = config.FromState(container, "", config.Rules{})
	fmt.Println(err)
	// Output:
	// 5000,9000 and 8000-9999
	// annotation port-restricter.port is empty: write a value, or leave the key out
}
