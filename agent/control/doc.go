// Package control shows what an agent does: over HTTP, on a unix socket beside the one on which
// OCI runtimes send containers. Nothing can be changed there. Who may connect is what the mode of
// the socket says: root, the agent's user, and for the socket of deploy/systemd one group.
//
//	GET /v1/agent                        Agent
//	GET /v1/rules                        a list of config.RuleText, those that are in force
//	GET /v1/containers                   a list of agent.Container, each in short
//	GET /v1/containers/{id}?bundle=PATH  Details
//	GET /v1/containers/{id}/explain?operation=bind&request=80/tcp
//	                                     Explanation
//	GET /v1/events?all=1&container=ID    decisions as they are made, a Line each, also on a
//	                                     socket of their own
//	GET /metrics                         numbers for Prometheus, also on a socket of their own
//
// A Server answers, and a Client asks. The server is bounded: in connections, in streams of events,
// in what a client may send and in how long it may take. A client that says nothing, sends rubbish
// or never reads holds up no container and no other client.
package control
