package main

import (
	"fmt"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/port-restricter/port-restricter/hook"
)

// loadFilter puts the calling thread under the filter that every way in uses.
func loadFilter() (int, error) {
	return hook.Load(hook.Profile(hook.Options{
		Flags: []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv},
	}))
}

// lockBinds is the second lock: the engine binds for the command, which itself
// binds nothing, so Landlock can refuse it every bind (TCP since Linux 6.7). On
// a kernel without it the filter stands alone.
func lockBinds() error {
	// Port 0 of UDP is what sendto(2) on an unbound socket needs.
	err := landlock.MustConfig(landlock.AccessNetSet(ll.AccessNetBindTCP | ll.AccessNetBindUDP)).
		BestEffort().RestrictNet(landlock.BindUDP(0))
	if err != nil {
		return fmt.Errorf("refuse the command's own binds by Landlock: %w", err)
	}
	return nil
}
