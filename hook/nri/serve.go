package nri

import (
	"context"
	"fmt"
	"time"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"
	"github.com/sirupsen/logrus"
)

// DefaultSocket is where engines listen for plugins.
const DefaultSocket = api.DefaultSocketPath

// retryAfter is the time between two attempts to reach the engine.
const retryAfter = 2 * time.Second

// Serve registers with the engine at the socket and answers its requests until ctx is
// done. It waits for an engine that does not run yet, and registers again with one
// that has restarted. index is two digits, by which engines order their plugins.
//
// Serve returns an error only for an index or a plugin that no engine could use.
func (p *Plugin) Serve(ctx context.Context, socket, index string) error {
	// Only the engine would check the index, and would refuse it at each attempt.
	if err := api.CheckPluginIndex(index); err != nil {
		return err
	}
	var before string
	for ctx.Err() == nil {
		s, err := p.stub(socket, index)
		if err != nil {
			return err
		}
		err = s.Run(ctx)
		if ctx.Err() != nil {
			break
		}
		// Log an error once, not with each attempt.
		if text := fmt.Sprint(err); text != before {
			before = text
			p.Log.WithError(err).WithField("socket", socket).
				Warn("no engine answers: no container is restricted by NRI until one does;" +
					" check that the engine runs and has NRI enabled")
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
	return nil
}

func (p *Plugin) stub(socket, index string) (stub.Stub, error) {
	s, err := stub.New(p,
		stub.WithPluginName("port-restricter"),
		stub.WithPluginIdx(index),
		stub.WithSocketPath(socket),
		stub.WithLogger(log{p.Log}),
		// If the plugin does not answer in time, the container must not be created.
		stub.WithFailurePolicy(&api.FailurePolicy{FailRequest: true, KeepConnected: true}),
	)
	if err != nil {
		return nil, fmt.Errorf("make an NRI plugin with index %q: %w", index, err)
	}
	return s, nil
}

// A log is a logger with the interface that package stub needs. What stub logs at info
// level is about the connection, and is logged at debug level.
type log struct{ *logrus.Logger }

func (l log) Debugf(_ context.Context, format string, args ...any) {
	l.Logger.Debugf(format, args...)
}

func (l log) Infof(_ context.Context, format string, args ...any) {
	l.Logger.Debugf(format, args...)
}

func (l log) Warnf(_ context.Context, format string, args ...any) {
	l.Logger.Warnf(format, args...)
}

func (l log) Errorf(_ context.Context, format string, args ...any) {
	l.Logger.Errorf(format, args...)
}
