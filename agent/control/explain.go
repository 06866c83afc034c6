package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/inquiry"
)

// An Explanation says what a policy answers to a request.
type Explanation struct {
	Allowed bool   `json:"allowed"`
	Audited bool   `json:"audited,omitempty"` // allowed only because the mode is audit
	Port    uint16 `json:"port"`              // that is bound
	Reason  string `json:"reason,omitempty"`  // why it is refused, or would be
	Policy  string `json:"policy"`
}

// Explain returns what a policy answers to a request.
func Explain(policy config.Policy, r config.Request) Explanation {
	d := policy.Decide(r)
	return Explanation{
		Allowed: d.Verdict != config.Deny, Audited: d.Audited, Port: d.Port,
		Reason: inquiry.Printable(d.Reason.String()), Policy: inquiry.Printable(policy.String()),
	}
}

// answerExplain answers by the policy that the container has now.
func (s *Server) answerExplain(w http.ResponseWriter, r *http.Request) {
	request, err := config.ParseRequest(
		config.Operation(r.FormValue("operation")), r.FormValue("request"))
	if err != nil {
		fail(w, http.StatusBadRequest, errors.New(inquiry.Printable(err.Error())))
		return
	}
	policy, ok := s.source.Policy(r.PathValue("id"))
	if !ok {
		fail(w, http.StatusNotFound, fmt.Errorf("the agent serves no container with the id %q",
			inquiry.Printable(r.PathValue("id"))))
		return
	}
	reply(w, Explain(policy, request))
}

// Explain returns what the container that name means, as in Container, would be answered now.
func (c *Client) Explain(
	ctx context.Context, name string, operation config.Operation, request string,
) (e Explanation, err error) {
	all, err := c.Containers(ctx)
	if err != nil {
		return e, err
	}
	found, err := Find(all, name)
	if err != nil {
		return e, err
	}
	query := url.Values{"operation": {string(operation)}, "request": {request}}
	return e, c.decode(ctx, &e, query, "containers", found.ID, "explain")
}
