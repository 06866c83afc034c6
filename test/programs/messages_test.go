package programs

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

var messengers = []program{
	{
		name: "mosquitto", answer: "hello from mosquitto", command: mosquitto,
		talk: both(
			ask("mosquitto_pub", "-p", "5000", "-t", "t", "-m", "hello from mosquitto", "-r"),
			ask("mosquitto_sub", "-p", "5000", "-t", "t", "-C", "1", "-W", "10")),
		refusal: "Error: Operation not permitted",
	},
	{
		name: "sshd", answer: "[127.0.0.1]:5000 ssh-ed25519 ", command: sshd,
		talk:    ask("ssh-keyscan", "-t", "ed25519", "-p", "5000", "127.0.0.1"),
		refusal: "Bind to port 5001 on 127.0.0.1 failed: Operation not permitted.",
	},
	{
		name: "dbus", answer: "boolean true\n   boolean true\n", command: dbus,
		talk:    both(askBus("tcp:host=127.0.0.1,port=5000"), askBus("unix:path=./bus")),
		refusal: `Failed to bind socket "127.0.0.1" port 5001: Operation not permitted`,
	},
	{
		name: "erlang", answer: "pong", command: erlang, ports: "5000,4369",
		talk: erlangClient("io:write(net_adm:ping('server@127.0.0.1')), erlang:halt()."),
		quit: both(erlangClient("rpc:call('server@127.0.0.1', init, stop, []), erlang:halt()."),
			ask("sh", "-c", endEPMD)),
		refusal: "register/listen error: eperm",
	},
	{
		name: "rabbitmq", users: []string{"nobody"}, command: rabbitmq, answer: "42\n",
		ports: "5000,4369,25000", // AMQP, epmd, the distribution
		talk: both(question("tcp", "", "AMQP\x00\x00\x09\x01"),
			ask("env", rabbitName, "/usr/lib/rabbitmq/bin/rabbitmqctl", "eval", "6*7.")),
		quit:    ask("sh", "-c", "kill $(cat pid); "+endEPMD),
		refusal: "{listen_error,{acceptor,{127,0,0,1},5001},eperm}",
	},
}

func TestMessengers(t *testing.T) { testAll(t, messengers) }

// askBus returns a function that asks the bus at an address whether it has a name.
func askBus(address string) func(*place) (string, error) {
	return ask("dbus-send", "--bus="+address, "--print-reply=literal",
		"--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner",
		"string:org.freedesktop.DBus")
}

func mosquitto(p *place, port int) []string {
	return []string{"mosquitto", "-c", p.write("mosquitto.conf", fmt.Sprintf(
		"listener %d 127.0.0.1\nallow_anonymous true\nuser %s\n", port, p.user.Username))}
}

func sshd(p *place, port int) []string {
	require.NoError(p, os.MkdirAll("/run/sshd", 0o755)) // as the service does at its start
	key := p.path("key")
	_, _ = p.try("ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", key)
	return []string{
		"/usr/sbin/sshd", "-D", "-e", "-f", p.write("sshd_config", ""), "-h", key,
		"-p", strconv.Itoa(port), "-o", "ListenAddress=127.0.0.1", "-o", "PidFile=none",
	}
}

func dbus(p *place, port int) []string {
	return []string{"dbus-daemon", "--nofork", "--config-file=" + p.write("bus.conf", fmt.Sprintf(`
<busconfig>
	<listen>unix:path=%s/bus</listen>
	<listen>tcp:host=127.0.0.1,port=%d,family=ipv4</listen>
	<auth>ANONYMOUS</auth>
	<allow_anonymous/>
	<policy context="default">
		<allow send_destination="*" eavesdrop="true"/>
		<allow eavesdrop="true"/>
	</policy>
</busconfig>
`, p.dir, port))}
}

// endEPMD ends epmd, which outlives the node that started it, once no node needs it.
const endEPMD = "while epmd -names 2>/dev/null; do epmd -kill; sleep 0.2; done"

// erlangClient returns a function that evaluates an expression of Erlang in a node of its own.
func erlangClient(expression string) func(*place) (string, error) {
	return ask("erl", "-noshell", "-name", "client@127.0.0.1", "-setcookie", "secret",
		"-start_epmd", "false", "-dist_listen", "false", "-eval", expression)
}

func erlang(p *place, port int) []string {
	only := strconv.Itoa(port)
	return []string{
		"erl", "-noinput", "-name", "server@127.0.0.1", "-setcookie", "secret",
		"-kernel", "inet_dist_listen_min", only, "inet_dist_listen_max", only,
	}
}

const rabbitName = "RABBITMQ_NODENAME=rabbit@localhost"

func rabbitmq(p *place, port int) []string {
	return []string{
		"env", rabbitName, "RABBITMQ_DIST_PORT=25000",
		"RABBITMQ_MNESIA_BASE=" + p.dir,
		"RABBITMQ_LOG_BASE=" + p.dir, "RABBITMQ_LOGS=-", "RABBITMQ_PID_FILE=" + p.path("pid"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + p.path("plugins"),
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT=" + strconv.Itoa(port),
		"/usr/lib/rabbitmq/bin/rabbitmq-server",
	}
}
