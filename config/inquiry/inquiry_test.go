package inquiry

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestAQuestionIsReadAsItWasWritten(t *testing.T) {
	for _, q := range []Question{
		{Container: "c1", Pid: 7},
		{Container: "a \"name\"\n<&>", Pid: 1 << 22, Refused: "no filter: \x00", By: "hook"},
		{Refused: "no port"},
	} {
		text, err := q.Encode()
		require.NoError(t, err)
		require.True(t, Is(text))
		got, err := Decode(text)
		require.NoError(t, err)
		require.Equal(t, q, got)
	}
}

// Only the text that Encode makes is a Question.
func TestOtherTextIsNoQuestion(t *testing.T) {
	for _, text := range []string{
		`{"inquiry":{}}`,
		`{"inquiry":{"container":"c1"}}`,
		`{"inquiry":{"container":"","pid":7}}`,
		`{"inquiry":{"container":"c1","pid":0}}`,
		`{"inquiry":{"container":"c1","pid":-7}}`,
		`{"inquiry":{"container":"c1","pid":7.5}}`,
		`{"inquiry":{"container":"c1","pid":"7"}}`,
		`{"inquiry":{"pid":7,"container":"c1"}}`,
		`{"inquiry":{"container":"c1","pid":7,"other":1}}`,
		`{"inquiry":{"container":"c1","pid":7},"state":{}}`,
		`{"inquiry":{"container":"c1","container":"c2","pid":7}}`,
		`{"inquiry":{"container":"c1","Pid":7}}`,
		`{"inquiry":{"container":"c1","pid":7}}{"inquiry":{"container":"c2","pid":7}}`,
		`{"inquiry":{"container":"c1"`,
	} {
		_, err := Decode([]byte(text))
		require.Error(t, err, text)
	}
	for _, text := range []string{``, `{}`, `{"ociVersion":"1","inquiry":{`, `{"Inquiry":{`} {
		require.False(t, Is([]byte(text)), text)
	}
}

func TestAskFailsWithoutAnAnswer(t *testing.T) {
	for _, answer := range []string{``, `{"attached":`, `{"attached":"yes"}`, `no`} {
		conn := struct {
			io.Reader
			io.Writer
		}{bytes.NewBufferString(answer), io.Discard}
		_, err := Ask(conn, Question{Container: "c1", Pid: 7})
		require.Error(t, err, answer)
	}
}

// What stands on a connection that was closed before the question tells who closed it, and is no
// answer to the question.
func TestAskReadsWhatWasSaidBeforeTheQuestion(t *testing.T) {
	for said, want := range map[string]string{
		"":                  "broken pipe",
		`{"attached":true}`: "broken pipe",
		"SSH-2.0":           "invalid character 'S'",
	} {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		asks, other := os.NewFile(uintptr(fds[0]), "asks"), os.NewFile(uintptr(fds[1]), "other")
		_, err = other.WriteString(said)
		require.NoError(t, err)
		require.NoError(t, other.Close())
		answer, err := Ask(asks, Question{Container: "c1", Pid: 7})
		require.ErrorContains(t, err, want)
		require.Zero(t, answer)
		require.NoError(t, asks.Close())
	}
}

func TestAPrintableTextIsShortAndHasNoControlCharacter(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "",
		`"ä" is no port, \x`:            `"ä" is no port, \x`,
		"a\x1b[31m\n\"b\"\u0085":        `a\x1b[31m\n"b"\u0085`,
		"a\u2028b\u202ec\xff":           `a\u2028b\u202ec\xff`,
		"a\x9b2Jb":                      `a\x9b2Jb`,
		"web\u202eab\u200b":             `web\u202eab\u200b`,
		strings.Repeat("é", 2000):       strings.Repeat("é", 1024) + "…",
		"x" + strings.Repeat("é", 2000): "x" + strings.Repeat("é", 1023) + "…",
	} {
		require.Equal(t, want, Printable(text))
	}
}
