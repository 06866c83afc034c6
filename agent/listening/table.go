package listening

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// tables are the files of /proc/PID/net, proc_pid_net(5).
var tables = []string{"tcp", "tcp6", "udp", "udp6", "udplite", "udplite6"}

// The states of a socket in these files, net/tcp_states.h. A UDP socket that is not connected is
// in the state TCP_CLOSE.
const (
	stateClose  = "07"
	stateListen = "0A"
)

// sockets are those of network namespaces, by their inodes.
type sockets map[uint64]Socket

// tables returns the sockets of the network namespaces of the processes.
func (l *look) tables(all []process) sockets {
	found, seen := sockets{}, map[string]bool{}
	for _, p := range all {
		// Without the privilege to read the link, each process may be in one of its own.
		namespace, err := os.Readlink(p.path("ns/net"))
		if err != nil {
			namespace = p.path("ns/net")
		}
		if seen[namespace] {
			continue
		}
		if len(seen) == namespaceLimit {
			l.miss("more than %d network namespaces: the others were not looked at", namespaceLimit)
			break
		}
		seen[namespace] = true
		for _, name := range tables {
			if err := found.read(p.path("net/"+name), strings.TrimSuffix(name, "6")); err != nil {
				l.miss("%v", err)
			}
		}
	}
	return found
}

// read adds the sockets in a file. There is none without IPv6, and none of a process that ended.
func (s sockets) read(path, protocol string) error {
	file, err := os.Open(path)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if err := s.parse(file, protocol); err != nil && !gone(err) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// gone reports whether an error means that a process, or a file of it, is no longer there.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENXIO)
}

// parse adds the sockets in the text of a file.
func (s sockets) parse(text io.Reader, protocol string) error {
	lines := bufio.NewScanner(text)
	lines.Scan() // the names of the columns
	for range socketLimit {
		if !lines.Scan() {
			return lines.Err()
		}
		// sl, local and remote address, state, queues, timer, retransmits, uid, timeout, inode
		words := strings.Fields(lines.Text())
		if len(words) < 10 {
			return fmt.Errorf("a line of %d words: %q", len(words), lines.Text())
		}
		switch state := words[3]; {
		case protocol == "tcp" && state != stateListen:
			return nil // the kernel lists those that listen first
		case protocol != "tcp" && state != stateClose:
			continue
		}
		address, port, err := parseAddress(words[1])
		if err != nil {
			return err
		}
		inode, err := strconv.ParseUint(words[9], 10, 64)
		if err != nil {
			return fmt.Errorf("an inode: %w", err)
		}
		s[inode] = Socket{Protocol: protocol, Address: address, Port: port}
	}
	if lines.Scan() {
		return fmt.Errorf("only the first %d sockets were looked at", socketLimit)
	}
	return lines.Err()
}

// parseAddress parses ADDRESS:PORT, both in hexadecimal. The address is in words of 32 bits, of
// which each is written as a number of this machine.
func parseAddress(text string) (address netip.Addr, port uint16, err error) {
	left, right, _ := strings.Cut(text, ":")
	bytes, err := hex.DecodeString(left)
	if err != nil || len(bytes) != 4 && len(bytes) != 16 || len(right) != 4 {
		return address, 0, fmt.Errorf("not an address: %q", text)
	}
	number, err := strconv.ParseUint(right, 16, 16)
	if err != nil {
		return address, 0, fmt.Errorf("not a port: %q", text)
	}
	for i := 0; i < len(bytes); i += 4 {
		binary.NativeEndian.PutUint32(bytes[i:], binary.BigEndian.Uint32(bytes[i:]))
	}
	address, _ = netip.AddrFromSlice(bytes)
	return address, uint16(number), nil
}
