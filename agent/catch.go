package agent

import (
	"fmt"
	"runtime/debug"

	"github.com/sirupsen/logrus"
)

// catch is to be deferred. It makes an error of a panic, and logs it: a fault of this program that
// one container brings to light must not take the ports from all of them.
func catch(log *logrus.Entry, err *error) {
	if fault := recover(); fault != nil {
		log.WithField("stack", string(debug.Stack())).
			Errorf("a fault of port-restricter, please report it: %v", fault)
		*err = fmt.Errorf("a fault of port-restricter: %v", fault)
	}
}
