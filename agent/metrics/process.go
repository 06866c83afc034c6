package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs"
)

// A processCollector tells what the collector of client_golang tells of this process. That one
// calls statfs(2) at each scrape, which the agent's seccomp filter does not allow.
type processCollector struct{ process procfs.Proc }

func newProcessCollector() (c processCollector, err error) {
	if c.process, err = procfs.Self(); err != nil {
		return c, fmt.Errorf("find this process in /proc: %w", err)
	}
	return c, nil
}

func describeProcess(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("process_"+name, help, nil, nil)
}

var (
	processCPU    = describeProcess("cpu_seconds_total", "User and system CPU time, in seconds.")
	processStart  = describeProcess("start_time_seconds", "When it was started, in Unix time.")
	processMemory = describeProcess("resident_memory_bytes", "Resident memory, in bytes.")
	processVM     = describeProcess("virtual_memory_bytes", "Virtual memory, in bytes.")
	processFDs    = describeProcess("open_fds", "Open file descriptors.")
	processMaxFDs = describeProcess("max_fds", "How many file descriptors it may open.")
)

func (processCollector) Describe(out chan<- *prometheus.Desc) {
	for _, one := range []*prometheus.Desc{
		processCPU, processStart, processMemory, processVM, processFDs, processMaxFDs,
	} {
		out <- one
	}
}

func (c processCollector) Collect(out chan<- prometheus.Metric) {
	number := func(one *prometheus.Desc, kind prometheus.ValueType, n float64, err error) {
		if err != nil {
			out <- prometheus.NewInvalidMetric(one, err)
			return
		}
		out <- prometheus.MustNewConstMetric(one, kind, n)
	}
	stat, err := c.process.Stat()
	number(processCPU, prometheus.CounterValue, stat.CPUTime(), err)
	number(processMemory, prometheus.GaugeValue, float64(stat.ResidentMemory()), err)
	number(processVM, prometheus.GaugeValue, float64(stat.VirtualMemory()), err)
	start, err := stat.StartTime()
	number(processStart, prometheus.GaugeValue, start, err)
	open, err := c.process.FileDescriptorsLen()
	number(processFDs, prometheus.GaugeValue, float64(open), err)
	limits, err := c.process.Limits()
	number(processMaxFDs, prometheus.GaugeValue, float64(limits.OpenFiles), err)
}
