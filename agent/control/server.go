package control

import (
	"context"
	"errors"
	stdlog "log"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"golang.org/x/net/netutil"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/agent/listening"
	"github.com/port-restricter/port-restricter/agent/metrics"
	"github.com/port-restricter/port-restricter/config"
)

const (
	connectionLimit = 64 // of each socket
	streamLimit     = 16 // of events
	// listLimit bounds the lists of all containers that are in memory: their clients may be slow.
	listLimit = 4

	headerLimit = 8 << 10          // bytes
	sendLimit   = 5 * time.Second  // for a client to send its request
	readLimit   = 10 * time.Second // for a client to read its answer, or a piece of a long one
	idleLimit   = time.Minute      // from one request to the next
	lookLimit   = 5 * time.Second  // for a look at the processes of a container
)

// A Source is the part of an agent.Supervisor that is shown.
type Source interface {
	Containers() []agent.Container
	ContainersOf(id string) []agent.Container
	SubscribeContainer(id string, all bool, capacity int) *agent.Subscription
	Policy(id string) (config.Policy, bool)
	Stats() agent.Stats
}

// A Server shows what an agent does.
type Server struct {
	source  Source
	agent   Agent
	inForce inForce
	numbers *prometheus.Registry
	log     *logrus.Logger
	lists   chan struct{}
	streams streams
	looks   chan struct{}
	look    func([]listening.Root) listening.Report

	sendLimit, readLimit, lookLimit time.Duration // less in tests
}

// started is when this process began, and so before it had a socket to be asked at.
var started = time.Now()

// NewServer returns a server. It must be called before the process confines itself. version is that
// of the agent.
func NewServer(source Source, version string, log *logrus.Logger) (*Server, error) {
	numbers, err := metrics.NewRegistry(source.Stats, version)
	if err != nil {
		return nil, err
	}
	return &Server{
		source: source, agent: Agent{Version: version, PID: os.Getpid(), Since: started},
		numbers: numbers, log: log, lists: make(chan struct{}, listLimit),
		looks: make(chan struct{}, 1), look: listening.Of,
		sendLimit: sendLimit, readLimit: readLimit, lookLimit: lookLimit,
	}, nil
}

// Describe says what else does not change while the agent runs. It is for the time before the
// server serves.
func (s *Server) Describe(about Agent) {
	about.Version, about.PID, about.Since = s.agent.Version, s.agent.PID, s.agent.Since
	s.agent = about
}

// ServeControl answers on the control socket until ctx is done. It takes over the listener.
func (s *Server) ServeControl(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/agent", s.answerAgent)
	mux.HandleFunc("GET /v1/rules", s.answerRules)
	mux.HandleFunc("GET /v1/containers", s.answerContainers)
	mux.HandleFunc("GET /v1/containers/{id}", s.answerContainer)
	mux.HandleFunc("GET /v1/containers/{id}/explain", s.answerExplain)
	mux.HandleFunc("GET /v1/events", s.answerEvents)
	mux.Handle("GET /metrics", metrics.Handler(s.numbers))
	return s.serve(ctx, l, mux)
}

// ServeEvents answers on the socket for events until ctx is done. It takes over the listener.
func (s *Server) ServeEvents(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/events", s.answerEvents)
	return s.serve(ctx, l, mux)
}

// ServeMetrics answers on the socket for metrics until ctx is done. It takes over the listener.
func (s *Server) ServeMetrics(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler(s.numbers))
	return s.serve(ctx, l, mux)
}

// serve answers until ctx is done.
func (s *Server) serve(ctx context.Context, l net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           s.guard(handler),
		ReadHeaderTimeout: s.sendLimit, ReadTimeout: s.sendLimit, IdleTimeout: idleLimit,
		MaxHeaderBytes: headerLimit,
		ErrorLog:       stdlog.New(debugWriter{s.log}, "", 0),
		BaseContext:    func(net.Listener) context.Context { return ctx },
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	err := server.Serve(netutil.LimitListener(l, connectionLimit))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// guard bounds a request. A fault in its answer ends the request, and nothing else.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if fault := recover(); fault != nil && fault != http.ErrAbortHandler {
				s.log.WithField("stack", string(debug.Stack())).
					Errorf("a fault of port-restricter, please report it: %v", fault)
				panic(http.ErrAbortHandler) // closes the connection: half an answer is none
			}
		}()
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close") // the rest is not read
			fail(w, http.StatusBadRequest, errors.New("a request has no body"))
			return
		}
		s.beginPiece(w)
		next.ServeHTTP(w, r)
	})
}

// beginPiece bounds the time in which the client must read what is written next.
func (s *Server) beginPiece(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.readLimit))
}

// A debugWriter logs what package http has to say, which clients can provoke.
type debugWriter struct{ log *logrus.Logger }

func (d debugWriter) Write(line []byte) (int, error) {
	d.log.Debugf("control: %q", line)
	return len(line), nil
}
