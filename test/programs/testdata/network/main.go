// Command network is a set of clients and servers of Go's net package, and of QUIC.
package main

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/quic-go/quic-go"
)

var commands = map[string]func(argument string) error{
	"serve":      serve,
	"get":        get,
	"test":       test,
	"devtools":   devtools,
	"quic-serve": quicServe,
	"quic-get":   quicGet,
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 || commands[os.Args[1]] == nil {
		log.Fatal("usage: network serve|get|test|devtools|quic-serve|quic-get ARGUMENT")
	}
	if err := commands[os.Args[1]](os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

// serve serves HTTP on a port, at every address.
func serve(port string) error {
	server := http.Server{
		Addr: ":" + port,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connection{}, conn)
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			protocol := "TCP"
			tcp := r.Context().Value(connection{}).(*net.TCPConn)
			if multipath, err := tcp.MultipathTCP(); err == nil && multipath {
				protocol = "MPTCP"
			}
			fmt.Fprintf(w, "hello from go over %s\n", protocol)
		}),
	}
	return server.ListenAndServe()
}

// connection is the key of a request's connection.
type connection struct{}

// get prints the page at an address. It speaks MPTCP.
func get(address string) error {
	client := http.Client{Transport: &http.Transport{DialContext: dialMPTCP}}
	response, err := client.Get("http://" + address)
	if err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

// dialMPTCP connects by MPTCP. The kernel falls back to TCP where it had to send a SYN again, as
// on a busy machine.
func dialMPTCP(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{}
	dialer.SetMultipathTCP(true)
	for try := 0; ; try++ {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if multipath, err := conn.(*net.TCPConn).MultipathTCP(); err != nil || multipath || try == 10 {
			return conn, nil
		}
		conn.Close()
	}
}

// test serves text on a port of 127.0.0.1 that the kernel chooses, and gets it from there.
func test(text string) error {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, text)
	}))
	defer server.Close()
	return get(server.Listener.Addr().String())
}

// quicServe greets every client that opens a stream to a port of 127.0.0.1.
func quicServe(port string) error {
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	listener, err := quic.ListenAddr("127.0.0.1:"+port, &tls.Config{
		Certificates: []tls.Certificate{certificate}, NextProtos: []string{"hello"},
	}, nil)
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept(context.Background())
		if err != nil {
			return err
		}
		go func() {
			if stream, err := conn.OpenUniStream(); err == nil {
				fmt.Fprintln(stream, "hello over QUIC")
				stream.Close()
			}
		}()
	}
}

func selfSigned() (tls.Certificate, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// quicGet prints what the server at an address says.
func quicGet(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := quic.DialAddr(ctx, address, &tls.Config{
		InsecureSkipVerify: true, NextProtos: []string{"hello"},
	}, nil)
	if err != nil {
		return err
	}
	stream, err := conn.AcceptUniStream(ctx)
	if err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, stream)
	return err
}
