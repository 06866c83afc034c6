package programs

import "testing"

// A debugger traces the program, inside port-restricter or around it.
var debuggers = []program{
	redisIn("strace", "-f", "-o", "trace"),
	redisIn("gdb", "-q", "-batch", "-ex", "run", "--args"),
	redisIn("valgrind", "--error-exitcode=99"),
	straced(),
}

func TestDebuggers(t *testing.T) { testAll(t, debuggers) }

// straced returns redis-server under a port-restricter that is traced itself.
func straced() program {
	prog := redisIn("strace")
	prog.name, prog.command = "strace around", redis
	prog.around = []string{"strace", "-f", "-o", "trace"}
	return prog
}
