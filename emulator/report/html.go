package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
)

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"seconds": func(d time.Duration) string { return seconds(d) + " s" },
	"of":      func(s Seconds) time.Duration { return time.Duration(s) },
	"percent": func(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) },
	"stamp":   func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") },
	"day":     func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
	"short":   shortName,
	"lookup":  lookupPointer,
	"arrowed": newArrow,
	"bar":     newBar,
}).Parse(pageHTML))

// htmlPage is what the page shows.
type htmlPage struct {
	CSS   template.CSS
	Title string
	Tally Tally
	Cases []htmlCase
}

type htmlCase struct {
	Name   string
	Result Result
	Ladder ladder
	Stays  []stay
	Whole  time.Duration
	Most   *stay // the longest, nil: there is none
}

// WriteHTML writes one page that needs nothing else, neither network nor script: what came of each boot, what the glass
// showed, where the time went, every message on a ladder, and what to do.
func WriteHTML(w io.Writer, cases []*Case) error {
	p := htmlPage{CSS: template.CSS(pageCSS), Tally: tally(cases), Title: "Boot report"}
	for _, c := range cases {
		one := htmlCase{Name: c.Name, Result: c.Result.finished(), Ladder: newLadder(c)}
		one.Stays, one.Whole = c.Result.stays()
		for i := range one.Stays {
			if one.Most == nil || one.Stays[i].Share > one.Most.Share {
				one.Most = &one.Stays[i]
			}
		}
		p.Cases = append(p.Cases, one)
	}
	if len(cases) == 1 {
		verdict := string(cases[0].Result.Result)
		if verdict == "" {
			verdict = "not run"
		}
		p.Title = fmt.Sprintf("Boot of %s: %s", cases[0].Name, verdict)
	}
	var b bytes.Buffer // a page is written whole or not at all
	if err := page.Execute(&b, p); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// shortName is a host without its domain.
func shortName(lane string) string {
	if _, err := netip.ParseAddr(lane); err == nil {
		return lane
	}
	host, _, _ := strings.Cut(lane, ".")
	return host
}

func lookupPointer(code string) *Diagnosis {
	if d, ok := Lookup(devicestate.Code(code)); ok {
		return &d
	}
	return nil
}

// Sizes of the ladder in pixels.
const (
	laneWidth = 92
	rowHeight = 28
	headSize  = 7
)

// arrow is one row with its drawing.
type arrow struct {
	Row           ladderRow
	Width, Height int
	Lives         []int // x of the lanes
	From, To      int   // x of the ends, equal: no message
	Head          int   // x of the head's wings
	Top, Bottom   int   // y of the head's wings
	Middle        int
	Class         timeline.Kind
}

func newArrow(lanes []string, row ladderRow) arrow {
	a := arrow{
		Row: row, Width: laneWidth * len(lanes), Height: rowHeight, Middle: rowHeight / 2,
		Top: rowHeight/2 - headSize + 2, Bottom: rowHeight/2 + headSize - 2, Class: row.Kind,
	}
	for i := range lanes {
		a.Lives = append(a.Lives, laneCentre(i))
	}
	a.From, a.To = laneCentre(0), laneCentre(row.Lane)
	a.Head = a.To - headSize
	if row.Kind == timeline.Received || row.Kind == timeline.Dropped {
		a.From, a.To = a.To, a.From
		a.Head = a.To + headSize
	}
	return a
}

// Sentence says in words what the arrow draws.
func (a arrow) Sentence() string {
	r := a.Row
	switch r.Kind {
	case timeline.Sent:
		return fmt.Sprintf("%s to %s: %s", r.Protocol, r.Peer, r.Text)
	case timeline.Received:
		return fmt.Sprintf("%s from %s: %s", r.Protocol, r.Peer, r.Text)
	case timeline.Dropped:
		return strings.TrimSpace(fmt.Sprintf("%s from %s, not used: %s", r.Protocol, r.Peer, r.Text))
	case timeline.Diagnosis:
		return r.Code + ": " + r.Text
	}
	return r.Text
}

func laneCentre(i int) int { return laneWidth*i + laneWidth/2 }

// barWidth is that of the whole boot in pixels.
const barWidth = 240

// bar is when and how long a boot was in a state.
type bar struct {
	Whole    int
	X, Width string
	Class    string
}

func newBar(s stay, whole time.Duration) bar {
	b := bar{Whole: barWidth, X: "0", Width: "0", Class: s.Outcome}
	if whole > 0 {
		x := min(barWidth*s.After.Seconds()/whole.Seconds(), barWidth-1)
		b.X, b.Width = fmt.Sprintf("%.1f", x), fmt.Sprintf("%.1f", min(max(barWidth*s.Share, 1), barWidth-x))
	}
	return b
}

// GlassText is what the phone showed, with its mark.
func (s stay) GlassText() string { return glassText(s.Glass) }
