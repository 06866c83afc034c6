package shim

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

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
