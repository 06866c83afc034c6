package target

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
)

// A taskCount reads how many tasks the kernel has created since boot, proc_stat(5). The kernel
// counts under the lock that makes a new task visible.
type taskCount struct {
	stat   *os.File
	buffer []byte
}

func newTaskCount() (*taskCount, error) {
	stat, err := os.Open("/proc/stat")
	if err != nil {
		return nil, err
	}
	return &taskCount{stat: stat, buffer: make([]byte, 4<<10)}, nil
}

func (c *taskCount) read() (int, error) {
	for length := 0; ; {
		n, err := c.stat.ReadAt(c.buffer[length:], int64(length))
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		length += n
		_, line, _ := bytes.Cut(c.buffer[:length], []byte("\nprocesses "))
		if count, _, whole := bytes.Cut(line, []byte("\n")); whole {
			return strconv.Atoi(string(count))
		}
		if err != nil {
			return 0, fmt.Errorf("%s has no line processes", c.stat.Name())
		}
		// The file has a line for each CPU and a number for each interrupt.
		c.buffer = append(c.buffer, make([]byte, length)...)
	}
}

// taskCounts are for threads that want the count now and then. What the pool forgets is closed by
// the garbage collector.
var taskCounts sync.Pool

// tasksCreated returns the number of tasks that the kernel has created since boot.
func tasksCreated() (int, error) {
	c, ok := taskCounts.Get().(*taskCount)
	if !ok {
		var err error
		if c, err = newTaskCount(); err != nil {
			return 0, err
		}
	}
	defer taskCounts.Put(c)
	return c.read()
}
