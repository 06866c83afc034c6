package start

import (
	"errors"
	"os"
	"strings"

	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// checkYama fails if the kernel lets this process inspect no command that it starts: no bind
// could be served. Yama forbids it from ptrace_scope 2 on without CAP_SYS_PTRACE, and to
// everybody from 3 on (Documentation/admin-guide/LSM/Yama.rst).
func checkYama() error {
	text, _ := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	scope := strings.TrimSpace(string(text))
	switch has, _ := cap.GetProc().GetFlag(cap.Permitted, cap.SYS_PTRACE); {
	case scope == "3":
		return errors.New("kernel.yama.ptrace_scope is 3, so nobody may inspect the command: " +
			"set it to 2 or lower where the system sets it (sysctl.d), and boot again")
	case scope == "2" && !has:
		return errors.New("kernel.yama.ptrace_scope is 2, so the command may be inspected " +
			"only with CAP_SYS_PTRACE: sysctl kernel.yama.ptrace_scope=1, or run it as root")
	}
	return nil
}
