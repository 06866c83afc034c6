package main

import (
	"fmt"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// refuseBinds makes the second lock, a Landlock ruleset: the engine binds for
// the command, which itself binds nothing, so the kernel can refuse it every
// bind. It returns -1 where the kernel has none; then the filter stands alone.
//
// go-landlock would put this very process, with the engine in it, under the
// ruleset: so only its system calls are used.
func refuseBinds() (ruleset int, err error) {
	var access uint64
	abi, err := ll.LandlockGetABIVersion()
	if err == nil && abi >= 4 { // Linux 6.7
		access |= ll.AccessNetBindTCP
	}
	if err == nil && abi >= 10 {
		access |= ll.AccessNetBindUDP
	}
	if access == 0 {
		return -1, nil
	}
	ruleset, err = ll.LandlockCreateRuleset(&ll.RulesetAttr{HandledAccessNet: access}, 0)
	if err != nil {
		return -1, fmt.Errorf("make a Landlock ruleset that refuses the command's own binds: %w", err)
	}
	if access&ll.AccessNetBindUDP != 0 { // port 0 is what sendto(2) on an unbound socket needs
		err = ll.LandlockAddNetPortRule(ruleset, &ll.NetPortAttr{AllowedAccess: ll.AccessNetBindUDP, Port: 0}, 0)
	}
	if err != nil {
		unix.Close(ruleset)
		return -1, fmt.Errorf("let the command send over UDP in spite of Landlock: %w", err)
	}
	return ruleset, nil
}
