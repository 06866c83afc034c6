package programs

import (
	"strconv"
	"testing"
)

// A sandbox runs inside port-restricter, with namespaces and filters of its own.
var sandboxes = []program{
	redisIn("bwrap", "--dev-bind", "/", "/", "--proc", "/proc", "--unshare-user",
		"--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--"),
	redisIn("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child",
		"--mount-proc", "--"),
	{
		name: "chromium", users: []string{"nobody"}, command: chromium, noisy: true,
		talk:    ask("network", "devtools", addressOf(allowed)),
		answer:  "You are adequately sandboxed.",
		refusal: "Cannot start http server for devtools",
	},
	{
		name: "tmux", command: tmux, answer: "Directory listing",
		talk:    get(addressOf(allowed), "/"),
		quit:    ask("tmux", "-S", "tmux.sock", "kill-server"),
		refusal: "PermissionError: [Errno 1] Operation not permitted",
	},
}

func TestSandboxes(t *testing.T) { testAll(t, sandboxes) }

// redisIn returns redis-server, run by a wrapper that stands between port-restricter and it.
func redisIn(wrapper ...string) program {
	prog := stores[0]
	prog.name = wrapper[0]
	prog.command = func(p *place, port int) []string {
		return append(wrapper[:len(wrapper):len(wrapper)], redis(p, port)...)
	}
	prog.quit = question("tcp", "", "SHUTDOWN NOSAVE\r\n") // the wrapper may ignore a signal
	return prog
}

func chromium(p *place, port int) []string {
	return []string{
		"chromium", "--headless=new", "--user-data-dir=" + p.path("profile"), "--no-first-run",
		"--remote-debugging-port=" + strconv.Itoa(port), "--remote-allow-origins=*", "about:blank",
	}
}

// tmux returns a script that shows what a web server in a window of tmux says. The server of
// tmux is a daemon.
func tmux(_ *place, port int) []string {
	return []string{"sh", "-c", `
		>said; tail -f said &
		server="python3 -m http.server --bind 127.0.0.1 $0"
		tmux -S tmux.sock new-session -d "$server >said 2>&1; cat"
		while tmux -S tmux.sock has-session 2>/dev/null; do sleep 0.1; done
		kill $!`, strconv.Itoa(port)}
}
