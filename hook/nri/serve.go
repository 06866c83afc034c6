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

// retry is the time between two attempts to reach the engine.
const retry = 2 * time.Second

// Serve answers the engine at the socket until ctx ends, and comes back to it
// when it restarts. index orders plugins, from 00 to 99.
func (p *Plugin) Serve(ctx context.Context, socket, index string) error {
	// Trying again won't mend it.
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
		// Once, not every two seconds.
		if said := fmt.Sprint(err); said != before {
			before = said
			p.Log.WithError(err).WithField("socket", socket).Warn("no engine; annotated containers are not restricted until it is back; is NRI enabled in it?")
		}
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
	return nil
}

func (p *Plugin) stub(socket, index string) (stub.Stub, error) {
	s, err := stub.New(p, stub.WithPluginName("port-restricter"), stub.WithPluginIdx(index), stub.WithSocketPath(socket), stub.WithLogger(log{p.Log}),
		// A plugin that is asked and says nothing must not let a container through.
		stub.WithFailurePolicy(&api.FailurePolicy{FailRequest: true, KeepConnected: true}))
	if err != nil {
		return nil, fmt.Errorf("make an NRI plugin of index %q: %w", index, err)
	}
	return s, nil
}

// log is a logger as the stub wants it.
type log struct{ *logrus.Logger }

func (l log) Debugf(_ context.Context, format string, args ...any) { l.Logger.Debugf(format, args...) }
func (l log) Infof(_ context.Context, format string, args ...any)  { l.Logger.Debugf(format, args...) }
func (l log) Warnf(_ context.Context, format string, args ...any)  { l.Logger.Warnf(format, args...) }
func (l log) Errorf(_ context.Context, format string, args ...any) { l.Logger.Errorf(format, args...) }
