package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config/strictjson"
)

const (
	// maxState bounds the JSON of a container process state, in bytes. The
	// annotations of a pod may have 256 KiB, and engines may copy all of them into one
	// more annotation.
	maxState = 16 << 20
	// maxFDs is SCM_MAX_FD, the most fds in one message, unix(7).
	maxFDs = 253
)

// ErrNothingSent means that the peer closed the connection without sending a byte,
// as crun does if it fails later.
var ErrNothingSent = errors.New("the connection was closed before anything was sent")

// Receive reads one container process state and its seccomp fd, as the OCI runtime
// spec defines them (config-linux.md, "The Container Process State"): JSON that may
// come in several messages, and fds with the first of them. It returns as soon as
// the JSON is complete, since runc may keep the connection open, and closes every
// fd but the seccomp fd. The read deadline of the connection bounds it.
//
// The error is ErrNothingSent, or says what is wrong with the message. JSON that can be read in
// two ways is an error: an annotation that is there twice could be another one to the hook that
// injected the filter.
func Receive(conn *net.UnixConn) (*specs.ContainerProcessState, int, error) {
	r := &messageReader{conn: conn}
	defer r.close()
	raw, err := r.text()
	if err != nil {
		return nil, -1, err
	}
	return r.state(raw)
}

// text returns the first JSON value that comes.
func (r *messageReader) text() (json.RawMessage, error) {
	var raw json.RawMessage
	if err := json.NewDecoder(io.LimitReader(r, maxState)).Decode(&raw); err != nil {
		switch {
		case r.err != nil:
			return nil, r.err
		case r.read == 0 && errors.Is(err, io.EOF):
			return nil, ErrNothingSent
		case r.read >= maxState:
			return nil, fmt.Errorf("the container process state is larger than %d MiB",
				maxState>>20)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf(
				"the container process state ends after %d bytes, in the middle of a value", r.read)
		}
		return nil, fmt.Errorf("read the container process state: %w", err)
	}
	return raw, nil
}

// state returns the container process state in raw, and its seccomp fd.
func (r *messageReader) state(raw json.RawMessage) (*specs.ContainerProcessState, int, error) {
	state := new(specs.ContainerProcessState)
	if err := strictjson.Unmarshal(raw, state); err != nil {
		return nil, -1, fmt.Errorf("read the container process state: %w", err)
	}
	at, err := seccompIndex(state.Fds, len(r.fds))
	if err != nil {
		return nil, -1, fmt.Errorf("container %q: %w", state.State.ID, err)
	}
	fd := r.fds[at]
	r.fds[at] = -1
	return state, fd, nil
}

// seccompIndex returns the index of the seccomp fd among count fds with these names.
func seccompIndex(names []string, count int) (int, error) {
	if len(names) > count {
		return -1, fmt.Errorf("fds names %d file descriptors %q, but %d came",
			len(names), names, count)
	}
	at := -1
	for i, name := range names {
		if name != specs.SeccompFdName {
			continue
		}
		if at >= 0 {
			return -1, fmt.Errorf("fds names %q twice: %q", specs.SeccompFdName, names)
		}
		at = i
	}
	if at < 0 {
		return -1, fmt.Errorf("fds has no %q: %q", specs.SeccompFdName, names)
	}
	return at, nil
}

// A messageReader reads a stream of messages and keeps the fds of the first one.
type messageReader struct {
	conn  *net.UnixConn
	limit time.Duration // from the first message to the end of the JSON; 0 for no limit
	heard func()        // called when the first message has come; may be nil
	fds   []int
	read  int
	err   error
}

func (r *messageReader) Read(p []byte) (int, error) {
	oob := make([]byte, unix.CmsgSpace(maxFDs*4))
	n, oobn, flags, _, err := r.conn.ReadMsgUnix(p, oob) // sets MSG_CMSG_CLOEXEC
	fds, parseErr := parseRights(oob[:oobn])
	first := r.read == 0
	r.read += n
	if first && n > 0 && r.heard != nil {
		r.heard()
	}
	if first && n > 0 && r.limit > 0 {
		if err := r.conn.SetReadDeadline(time.Now().Add(r.limit)); err != nil {
			closeAll(fds)
			return 0, err
		}
	}
	switch {
	case first:
		r.fds = fds
	case len(fds) > 0:
		closeAll(fds)
		r.err = fmt.Errorf("%d file descriptors came with a later message: "+
			"the runtime spec has them in the first", len(fds))
		return 0, r.err
	}
	switch {
	case parseErr != nil:
		r.err = fmt.Errorf("read the file descriptors: %w", parseErr)
		return 0, r.err
	case flags&unix.MSG_CTRUNC != 0:
		r.err = errors.New("file descriptors were lost on the way (MSG_CTRUNC): " +
			"raise the agent's limit of open files, RLIMIT_NOFILE")
		return 0, r.err
	case errors.Is(err, io.EOF):
		return n, io.EOF // unwrapped, as io.Reader demands
	case err != nil:
		r.err = fmt.Errorf("read the container process state: %w", err)
		return 0, r.err
	}
	return n, nil
}

// close closes the fds that nobody has taken.
func (r *messageReader) close() { closeAll(r.fds) }

func parseRights(oob []byte) (fds []int, err error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		rights, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue // not file descriptors; credentials, for example
		}
		fds = append(fds, rights...)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
