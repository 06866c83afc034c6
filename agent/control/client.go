package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/inquiry"
)

const (
	answerLimit = 30 * time.Second
	// sizeLimit bounds an answer, in bytes.
	sizeLimit = 1 << 28
	lineLimit = 1 << 20
)

// A Client asks an agent.
type Client struct {
	path string
	http http.Client
}

// NewClient returns a client of the agent with the control socket at path.
func NewClient(path string) *Client {
	c := &Client{path: path}
	c.http.Transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
		DisableCompression:    true,
		ResponseHeaderTimeout: answerLimit,
	}
	return c
}

// get asks for the path of the parts. The error is one that a user can do something about.
func (c *Client) get(
	ctx context.Context, parts []string, query url.Values,
) (*http.Response, error) {
	where := "http://agent/v1"
	for _, part := range parts {
		where += "/" + url.PathEscape(part)
	}
	where += "?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, c.explain(err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	var said problem
	body := io.LimitReader(response.Body, lineLimit)
	if json.NewDecoder(body).Decode(&said) != nil || said.Error == "" {
		said.Error = fmt.Sprintf("%s: is it an agent of another version?", response.Status)
	}
	err = fmt.Errorf("the agent at %s: %s", c.path, inquiry.Printable(said.Error))
	if response.StatusCode == http.StatusNotFound {
		err = fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return nil, err
}

// ErrNotFound means that the agent does not serve the container.
var ErrNotFound = errors.New("no such container")

// decode asks for the path of the parts, and decodes the answer.
func (c *Client) decode(
	ctx context.Context, value any, query url.Values, parts ...string,
) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	response, err := c.get(ctx, parts, query)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body := bufio.NewReader(io.LimitReader(response.Body, sizeLimit))
	if err := json.NewDecoder(body).Decode(value); err != nil {
		return fmt.Errorf("read the answer of the agent at %s: %w", c.path, err)
	}
	return nil
}

// Agent returns what the agent says of itself.
func (c *Client) Agent(ctx context.Context) (about Agent, err error) {
	return about, c.decode(ctx, &about, nil, "agent")
}

// Rules returns the administrator's rules that the agent has in force.
func (c *Client) Rules(ctx context.Context) (rules []config.RuleText, err error) {
	return rules, c.decode(ctx, &rules, nil, "rules")
}

// Containers returns the containers that the agent serves, the oldest first, without their
// annotations, and with their last refusal only.
func (c *Client) Containers(ctx context.Context) (all []agent.Container, err error) {
	return all, c.decode(ctx, &all, nil, "containers")
}

// Container returns what is known of the one container that name means: see Find.
func (c *Client) Container(ctx context.Context, name string) (details Details, err error) {
	all, err := c.Containers(ctx)
	if err != nil {
		return details, err
	}
	found, err := Find(all, name)
	if err != nil {
		return details, err
	}
	return details, c.decode(ctx, &details,
		url.Values{"bundle": {found.Bundle}}, "containers", found.ID)
}

// Events returns the refusals from now on, or all decisions, until ctx is done or the agent ends.
// container is the id of the only one that is wanted, or "". Events has subscribed once it returns.
func (c *Client) Events(
	ctx context.Context, all bool, container string,
) (iter.Seq2[Line, error], error) {
	query := url.Values{}
	if all {
		query.Set("all", "1")
	}
	if container != "" {
		query.Set("container", container)
	}
	response, err := c.get(ctx, []string{"events"}, query)
	if err != nil {
		return nil, err
	}
	return func(yield func(Line, error) bool) {
		defer response.Body.Close()
		lines := bufio.NewScanner(response.Body)
		lines.Buffer(nil, lineLimit)
		for lines.Scan() {
			var line Line
			err := json.Unmarshal(lines.Bytes(), &line)
			if !yield(line, err) || err != nil {
				return
			}
		}
		if ctx.Err() == nil {
			err := errors.Join(lines.Err(), fmt.Errorf("the agent at %s has ended", c.path))
			yield(Line{}, err)
		}
	}, nil
}
