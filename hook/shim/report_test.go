package shim

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReportFormats shows that an error is written in the two formats of --log-format,
// and as text without that option, so the engine can parse it as it parses runc's.
func TestReportFormats(t *testing.T) {
	for format, wanted := range map[string]string{
		"json": `^{"level":"error","msg":"what \\"happened\\"","time":"[^"]+"}\n$`,
		"text": `^time="[^"]+" level=error msg="what \\"happened\\""\n$`,
		"":     `^time="[^"]+" level=error msg="what \\"happened\\""\n$`,
	} {
		var text bytes.Buffer
		Invocation{LogFormat: format}.write(&text, errors.New(`what "happened"`))
		require.Regexp(t, wanted, text.String(), format)
	}
}
