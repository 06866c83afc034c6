// Package inquiry is what the injection of the filter, the guard, and the agent say to each
// other on the agent's socket, on which OCI runtimes send containers as well.
//
// The agent is sent one Question and sends one Answer, both as JSON. The agent closes the
// connection after that.
package inquiry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A Question asks whether the agent serves a process, or tells why a container was refused.
type Question struct {
	// Container is the id of the container. It may be unknown if the container was refused.
	Container string `json:"container"`
	// Pid is the container's first process, as the OCI runtime numbers it. It is 0 for a
	// container that was refused before it had one; otherwise the process was killed.
	Pid int `json:"pid"`
	// Refused is the reason if the container was refused, for the agent's log, and By is who
	// refused it.
	Refused string `json:"refused,omitempty"`
	By      string `json:"by,omitempty"`
}

// An Answer says whether the agent has the notify fd of the process in the Question.
type Answer struct {
	Attached bool `json:"attached"`
}

// opening is how the text of a Question begins. The text of a container process state, which
// is an object with other keys, begins in another way.
const opening = `{"inquiry":{`

// message is a Question as it is sent.
type message struct {
	Inquiry Question `json:"inquiry"`
}

// Is reports whether a JSON text on the agent's socket is a Question, and no container
// process state.
func Is(text []byte) bool { return bytes.HasPrefix(text, []byte(opening)) }

// Encode returns the text of a Question.
func (q Question) Encode() ([]byte, error) { return json.Marshal(message{q}) }

// Decode returns the Question in a text that Encode has made. It accepts no other text: no
// unknown key, no missing value.
func Decode(text []byte) (Question, error) {
	var m message
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		return Question{}, fmt.Errorf("read the guard's question: %w", err)
	}
	// One text for one Question: what is repeated, or spelled another way, does not come back.
	again, err := m.Inquiry.Encode()
	if err != nil {
		return Question{}, err
	}
	if !bytes.Equal(again, bytes.TrimSpace(text)) {
		return Question{}, errors.New("read the guard's question: another program wrote it")
	}
	if m.Inquiry.Refused != "" {
		return m.Inquiry, nil
	}
	if m.Inquiry.Container == "" || m.Inquiry.Pid <= 0 {
		return Question{}, fmt.Errorf("the guard's question names no container or no process: %s",
			text)
	}
	return m.Inquiry, nil
}

// Ask sends a Question and returns the Answer. The deadline of the connection bounds it.
func Ask(conn io.ReadWriter, q Question) (Answer, error) {
	text, err := q.Encode()
	if err != nil {
		return Answer{}, err
	}
	_, notSent := conn.Write(text)
	var a Answer
	err = json.NewDecoder(io.LimitReader(conn, 1<<10)).Decode(&a)
	if notSent == nil {
		return a, err
	}
	// Who closes the connection before it is asked may have said what it is.
	if err == nil || errors.Is(err, io.EOF) {
		err = notSent
	}
	return Answer{}, err
}
