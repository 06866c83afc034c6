package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/port-restricter/port-restricter/agent/control"
)

// watchInterval is the time from one look to the next.
const watchInterval = 2 * time.Second

// watchStatus shows the table of containers until the user has seen enough.
func watchStatus(ctx context.Context, client *control.Client) error {
	first, err := summarize(ctx, client)
	if err != nil {
		return err
	}
	screen := &screen{ctx: ctx, client: client, shown: first}
	_, err = tea.NewProgram(screen, tea.WithContext(ctx)).Run()
	if ctx.Err() != nil || errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	return err
}

// A screen is the live table.
type screen struct {
	ctx    context.Context
	client *control.Client
	shown  summary
	err    error
	// The size of the window, or 0 as long as it is not known.
	width, height int
}

// A look is what was seen at one moment.
type look struct {
	summary
	err error
}

// Init begins to look.
func (s *screen) Init() tea.Cmd { return s.next() }

// next looks once more, later.
func (s *screen) next() tea.Cmd {
	return tea.Tick(watchInterval, func(time.Time) tea.Msg {
		seen, err := summarize(s.ctx, s.client)
		return look{seen, err}
	})
}

// Update takes over what was seen, and ends the program if the user wants that.
func (s *screen) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch message := message.(type) {
	case tea.KeyPressMsg:
		switch message.String() {
		case "q", "esc", "ctrl+c":
			return s, tea.Quit
		}
	case tea.WindowSizeMsg:
		s.width, s.height = message.Width, message.Height
	case look:
		if s.err = message.err; s.err == nil {
			s.shown = message.summary
		}
		return s, s.next()
	}
	return s, nil
}

// View returns the table, as far as the window has room, and the error of the last look.
func (s *screen) View() tea.View {
	end := "\nq ends this."
	if s.err != nil {
		end = "\n" + lipgloss.NewStyle().Width(s.width).Render(s.err.Error()) + "\n" + end
	}
	lines := strings.SplitAfter(s.shown.text(s.width), "\n")
	lines = lines[:len(lines)-1]
	if room := max(1, s.height-lipgloss.Height(end)); s.height > 0 && len(lines) > room {
		lines = append(lines[:room-1:room-1], fmt.Sprintf(
			"… %d more lines: port-restricter status shows all\n", len(lines)-room+1))
	}
	view := tea.NewView(strings.Join(lines, "") + end)
	view.AltScreen = true
	return view
}
