package programs

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

func addressOf(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// get returns a function that gets a page from the server at an address.
func get(address, page string) func(*place) (string, error) {
	return func(*place) (string, error) {
		conn, err := dial("tcp", address)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		// net/http would dial on another thread, so in another network namespace.
		request, err := http.NewRequest(http.MethodGet, "http://"+address+page, nil)
		if err != nil {
			return "", err
		}
		request.Close = true
		if err := request.Write(conn); err != nil {
			return "", err
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), request)
		if err != nil {
			return "", err
		}
		body, err := io.ReadAll(response.Body)
		return string(body), err
	}
}

// converse sends a text and returns what the first read returns.
func converse(network, address, text string) (string, error) {
	conn, err := dial(network, address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err = io.WriteString(conn, text); err != nil {
		return "", err
	}
	answer := make([]byte, 4096)
	n, err := conn.Read(answer)
	return string(answer[:n]), err
}

// dial connects to an address from the place of the caller.
func dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(5 * time.Second))
	}
	return conn, err
}

// both returns the answers to two questions.
func both(one, other func(*place) (string, error)) func(*place) (string, error) {
	return func(p *place) (string, error) {
		first, err := one(p)
		if err != nil {
			return "", err
		}
		second, err := other(p)
		return first + second, err
	}
}

// ask returns a function that asks by a client program.
func ask(client ...string) func(*place) (string, error) {
	return func(p *place) (string, error) { return p.try(client...) }
}
