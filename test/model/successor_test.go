package model

import "testing"

// TestWithoutAProtectionOfASuccessor is TestWithoutAProtection for what lets a successor go on
// where an agent ended.
func TestWithoutAProtectionOfASuccessor(t *testing.T) {
	breakWithout(t, map[string]protection{
		"a slot that survives": {
			mutation{noSlots: true}, succeeded, everAnswered,
		},
		"the slot written before the bind": {
			mutation{slotLate: true}, succeeded, interruptedOnce,
		},
		"the slot kept until the answer": {
			mutation{slotEarly: true}, succeeded, everAnswered,
		},
		"the slot cleared after the answer": {
			mutation{slotKept: true}, succeeded, toldOnce,
		},
		"orphans that survive": {
			mutation{orphansEnd: true}, succeeded, interruptedOnce,
		},
		"the begun bind of a caller that was called away remembered": {
			mutation{calledAwayForgotten: true}, succeeded, interruptedOnce,
		},
		"a look at the socket of a begun bind": {
			mutation{begunUnseen: true}, succeededChanging, truthful,
		},
		"ID_VALID for what was in hand": {
			mutation{leftUnchecked: true}, succeededReused, rightProcess,
		},
		"notifications received only once all slots were looked at": {
			mutation{armedUnseen: true}, succeeded, interruptedOnce,
		},
		"notifications received only once what was in hand is served": {
			mutation{armedFirst: true}, succeeded, toldOnce,
		},
		"a limit on the agents that a notification ends": {
			mutation{noDeathLimit: true}, poisoned, everAnswered,
		},
		"a blocked call not suspected of what the next one did": {
			mutation{blamedWhileBlocked: true}, poisoned, notBlamed,
		},
		"nobody suspected when an agent ends in order": {
			mutation{blamedInOrder: true}, succeededBlocked, notBlamed,
		},
		"nobody suspected whom the agent did not serve": {
			mutation{blamedUntouched: true}, succeeded, notBlamed,
		},
		"where bind put sockets survives": {
			mutation{boundEnds: true}, succeededListening, mayListen,
		},
		"proof that a socket holds the port of a begun bind": {
			mutation{takenByName: true}, succeededListening, allowedOnly,
		},
		"where a begun bind put the socket remembered": {
			mutation{takenNever: true}, succeededListening, mayListen,
		},
	})
}
