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
	Map     string `json:"map,omitempty"`     // the mapping that rewrites the port
	Policy  string `json:"policy"`

	Limits []Opinion `json:"limits"` // all must allow it; none if everything is refused
}

// An Opinion is what one limit says to a request: an annotation, the metadata, or a rule.
type Opinion struct {
	Source  string `json:"source"`
	Allowed bool   `json:"allowed"`
	Element string `json:"element,omitempty"` // the part of the limit that allows it
	Audit   bool   `json:"audit,omitempty"`   // what the limit does not allow is only logged
}

// Explain returns what a policy answers to a request, and by which element of which limit.
func Explain(policy config.Policy, r config.Request) Explanation {
	found := policy.Explain(r)
	e := Explanation{
		Allowed: found.Verdict != config.Deny, Audited: found.Audited, Port: found.Port,
		Reason: inquiry.Printable(found.Reason.String()), Map: found.Map,
		Policy: inquiry.Printable(policy.String()),
	}
	for _, o := range found.Limits {
		o.Source = inquiry.Printable(o.Source)
		e.Limits = append(e.Limits, Opinion(o))
	}
	return e
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
