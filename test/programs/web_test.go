package programs

import (
	"fmt"
	"strconv"
	"testing"
)

var webServers = []program{
	{
		name: "nginx", command: nginx, answer: "hello from nginx",
		talk:    get(addressOf(allowed), "/index.html"),
		refusal: "bind() to 127.0.0.1:5001 failed (1: Operation not permitted)",
	},
	{
		name: "haproxy", command: haproxy, answer: "hello from haproxy",
		talk: both(get(addressOf(allowed), "/"), func(p *place) (string, error) {
			return converse("unix", p.path("admin.sock"), "show servers state\n")
		}),
		refusal: "cannot bind socket (Operation not permitted) for [127.0.0.1:5001]",
	},
	{
		name: "php", command: php, answer: "hello from cli-server",
		talk:    get(addressOf(allowed), "/index.php"),
		refusal: "Failed to listen on 127.0.0.1:5001 (reason: Operation not permitted)",
	},
	{
		name: "java", answer: "hello from java",
		command: script("java", "-XX:TieredStopAtLevel=1", testdata("Hello.java")),
		talk:    get(addressOf(allowed), "/"),
		refusal: "java.net.SocketException: Operation not permitted",
	},
	{
		name: "node", answer: "hello from worker",
		command: script("node", testdata("cluster.js")),
		talk:    both(get(addressOf(allowed), "/"), get(addressOf(allowed), "/ipc")),
		refusal: "Error: bind EPERM 127.0.0.1:5001",
	},
	{
		name: "go", answer: "hello from go over MPTCP",
		command: script("network", "serve"), // on all addresses, of IPv6 and IPv4
		talk:    both(ask("network", "get", "[::1]:5000"), ask("network", "get", "127.0.0.1:5000")),
		refusal: "listen tcp :5001: bind: operation not permitted",
	},
	{
		name: "python", answer: "PING over TCP, PING over UDP, PING over AF_UNIX",
		command: script("python3", testdata("echo.py")),
		talk: func(p *place) (string, error) {
			return p.try("python3", testdata("echo.py"), "ask", strconv.Itoa(allowed))
		},
		refusal: "PermissionError: [Errno 1] Operation not permitted",
	},
}

func TestWebServers(t *testing.T) { testAll(t, webServers) }

func testAll(t *testing.T, programs []program) {
	for _, prog := range programs {
		t.Run(prog.name, prog.test)
	}
}

// script returns a function that returns args and the port as a command.
func script(args ...string) func(*place, int) []string {
	return func(_ *place, port int) []string {
		return append(args[:len(args):len(args)], strconv.Itoa(port))
	}
}

func nginx(p *place, port int) []string {
	p.write("index.html", "hello from nginx")
	return []string{"nginx", "-e", "stderr", "-c", p.write("nginx.conf", fmt.Sprintf(`
daemon off; worker_processes 2; pid %[1]s/pid; error_log stderr;
events {}
http {
	access_log off; client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b;
	fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
	server { listen 127.0.0.1:%[2]d; root %[1]s; }
}
`, p.dir, port))}
}

func haproxy(p *place, port int) []string {
	return []string{"haproxy", "-db", "-f", p.write("haproxy.cfg", fmt.Sprintf(`
global
	stats socket %s/admin.sock level admin
defaults
	mode http
	timeout client 10s
	timeout server 10s
	timeout connect 10s
frontend web
	bind 127.0.0.1:%d
	http-request return status 200 content-type text/plain string "hello from haproxy"
`, p.dir, port))}
}

func php(p *place, port int) []string {
	p.write("index.php", "<?php echo 'hello from ' . PHP_SAPI;")
	return []string{"php", "-S", addressOf(port), "-t", p.dir}
}
