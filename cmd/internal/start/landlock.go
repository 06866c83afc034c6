package start

import (
	"fmt"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// newBindRuleset makes a Landlock ruleset under which the kernel refuses every bind
// of the command: a second lock beside the filter. The command never needs to bind
// anything itself, because the supervisor binds for it. newBindRuleset returns -1 on
// a kernel that can't refuse binds by Landlock, where the filter is the only lock.
//
// Of go-landlock only the system calls are used: the rest would put this process,
// which has the supervisor in it, under the ruleset.
func newBindRuleset() (ruleset int, err error) {
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
		return -1, fmt.Errorf("make a Landlock ruleset to refuse the command's own binds: %w", err)
	}
	if access&ll.AccessNetBindUDP != 0 {
		// sendto(2) on an unbound UDP socket needs port 0.
		rule := &ll.NetPortAttr{AllowedAccess: ll.AccessNetBindUDP, Port: 0}
		err = ll.LandlockAddNetPortRule(ruleset, rule, 0)
	}
	if err != nil {
		unix.Close(ruleset)
		return -1, fmt.Errorf("add a Landlock rule that lets the command send over UDP: %w", err)
	}
	return ruleset, nil
}
