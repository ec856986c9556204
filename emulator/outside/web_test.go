//go:build web

package outside

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
)

// reportPage boots once a fault and returns the page about it all.
func reportPage(t *testing.T, faults ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "boot.html")
	outputs, err := report.ParseOutputs([]string{"html=" + file})
	if err != nil {
		t.Fatal(err)
	}
	if err := outputs.Open(&strings.Builder{}); err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		o := rig.Options{Timeout: time.Minute, Decode: true}
		if fault != "" {
			o.Faults = []string{fault}
		}
		if o.Lab, err = configs.LoadLab("litware"); err != nil {
			t.Fatal(err)
		}
		if o.Profile, err = configs.LoadProfile(rig.DefaultProfile); err != nil {
			t.Fatal(err)
		}
		o.Credentials = rig.FirstUser(o.Lab, o.Profile)
		boot := outputs.Begin(o.Credentials.Number)
		o.Observers = append(o.Observers, outputs.Observer(boot))
		run, err := rig.Start(o)
		if err != nil {
			t.Fatal(err)
		}
		result := run.Boot(context.Background())
		if err := run.Close(); err != nil {
			t.Fatal(err)
		}
		if err := outputs.Record(boot, rig.Party, result); err != nil {
			t.Fatal(err)
		}
	}
	if err := outputs.Finish(); err != nil {
		t.Fatal(err)
	}
	return "file://" + filepath.ToSlash(file)
}

// browser is a headless Chromium with one page open, and what it asked for and complained of.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	requests   []string
	complaints []string
}

func openBrowser(t *testing.T, url string) *browser {
	t.Helper()
	options := append(
		chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program(t, "chromium")), chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, // it refuses to run as root with one
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1400, 900),
	)
	limited, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	allocator, stop := chromedp.NewExecAllocator(limited, options...)
	t.Cleanup(stop)
	ctx, closePage := chromedp.NewContext(allocator)
	t.Cleanup(closePage)
	b := &browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Navigate(url), chromedp.WaitReady(chromedp.CSS("main")))
	return b
}

func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, e.Entry.Text)
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.complaints = append(b.complaints, string(e.Type))
	}
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// get runs an action that gives something.
func get[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}

// eval returns what an expression gives in the page.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	return get(b, chromedp.Evaluate[T](expression))
}

// media switches the medium and the colour scheme.
func (b *browser) media(medium, scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media: medium, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// TestPage looks at the pages about a boot that failed, and about one that did not besides.
func TestPage(t *testing.T) {
	failure, both := reportPage(t, "ticket=wrong-pin"), reportPage(t, "", "ticket=wrong-pin")
	for name, look := range map[string]func(*testing.T, string){
		"needs nothing": pageNeedsNothing, "by keyboard": pageByKeyboard, "colours": pageColours, "fits": pageFits,
	} {
		t.Run(name, func(t *testing.T) { look(t, both) })
	}
	t.Run("is read", func(t *testing.T) { pageIsRead(t, failure) })
}

// The page asks for nothing besides itself and makes the browser complain of nothing.
func pageNeedsNothing(t *testing.T, url string) {
	b := openBrowser(t, url)
	b.media("screen", "dark")
	b.media("print", "light")
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.requests) != 1 || b.requests[0] != url {
		t.Errorf("requests: %q", b.requests)
	}
	if len(b.complaints) > 0 {
		t.Errorf("complaints: %q", b.complaints)
	}
}

// Messages unfold by keyboard alone, and the focus is seen.
func pageByKeyboard(t *testing.T, url string) {
	b := openBrowser(t, url)
	const focused = `document.activeElement.tagName + " " + (document.activeElement.parentElement?.open ?? "")`
	for n := 0; !strings.HasPrefix(eval[string](b, focused), "SUMMARY"); n++ {
		if n > 20 {
			t.Fatal("Tab does not reach a message")
		}
		b.do(chromedp.KeyEvent("\t"))
	}
	for _, step := range []struct{ key, want string }{{"\r", "SUMMARY true"}, {"\r", "SUMMARY false"}, {" ", "SUMMARY true"}} {
		b.do(chromedp.KeyEvent(step.key))
		if got := eval[string](b, focused); got != step.want {
			t.Errorf("after key %q: %s, want %s", step.key, got, step.want)
		}
	}
	if width := eval[string](b, `getComputedStyle(document.activeElement).outlineWidth`); width != "3px" {
		t.Errorf("the focus has an outline of %s", width)
	}
	if shown := eval[float64](b, `document.activeElement.parentElement.querySelector("dl").getBoundingClientRect().height`); shown < 20 {
		t.Errorf("the open message is %v pixels high", shown)
	}
}

// contrasts gives the texts whose colour is too near to that of what they stand on (WCAG 2.1, 1.4.3: 4.5 to 1).
const contrasts = `(() => {
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  const colour = text => text.match(/[\d.]+/g).map(Number)
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b)
  const ground = e => { for (; e; e = e.parentElement) { const c = colour(getComputedStyle(e).backgroundColor); if (c.length == 3 || c[3] > 0) return c } return [255, 255, 255] }
  const out = new Set()
  document.querySelectorAll("details").forEach(d => d.open = true)
  for (const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); walk.nextNode();) {
    const e = walk.currentNode.parentElement
    if (!walk.currentNode.data.trim()) continue
    const [a, b] = [luminance(colour(getComputedStyle(e).color)), luminance(ground(e))]
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (ratio < 4.5) out.add(e.tagName + "." + e.className + " " + ratio.toFixed(2))
  }
  return [...out]
})()`

// Every text can be read in the light, in the dark and on paper, and the dark is dark.
func pageColours(t *testing.T, url string) {
	b := openBrowser(t, url)
	for _, c := range []struct{ medium, scheme, ground string }{
		{"screen", "light", "rgb(255, 255, 255)"}, {"screen", "dark", "rgb(20, 24, 29)"}, {"print", "light", "rgb(255, 255, 255)"}, {"print", "dark", "rgb(255, 255, 255)"},
	} {
		b.media(c.medium, c.scheme)
		if got := eval[string](b, `getComputedStyle(document.body).backgroundColor`); got != c.ground {
			t.Errorf("%s, %s: the ground is %s, want %s", c.medium, c.scheme, got, c.ground)
		}
		if weak := eval[[]string](b, contrasts); len(weak) > 0 {
			t.Errorf("%s, %s: too little contrast: %q", c.medium, c.scheme, weak)
		}
	}
}

// The page fits a telephone, a desk and a sheet of paper.
func pageFits(t *testing.T, url string) {
	b := openBrowser(t, url)
	for _, c := range []struct {
		medium string
		width  int64
	}{{"screen", 360}, {"screen", 1000}, {"screen", 1400}, {"print", 720}} {
		b.media(c.medium, "light")
		b.do(chromedp.EmulateViewport(c.width, 900))
		if over := eval[float64](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
			t.Errorf("%s of %d pixels: %v pixels are beyond the edge", c.medium, c.width, over)
		}
	}
	b.media("print", "light")
	arrows := eval[string](b, `getComputedStyle(document.querySelector("svg line.sent")).stroke + " " + (document.querySelector(".ladder svg").getBoundingClientRect().width > 200)`)
	if arrows != "rgb(0, 0, 0) true" {
		t.Errorf("on paper an arrow is %s", arrows)
	}
	if pdf := get(b, chromedp.PrintToPDF()); !bytes.HasPrefix(pdf, []byte("%PDF-")) {
		t.Errorf("%d bytes that are no PDF", len(pdf))
	}
}

// What a screen reader reads: headings, tables with headings, messages that say who sends what to whom.
func pageIsRead(t *testing.T, url string) {
	b := openBrowser(t, url)
	tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		t.Fatal(err)
	}
	text := func(v *accessibility.Value) string {
		if v == nil {
			return ""
		}
		return strings.Trim(string(v.Value), `"`)
	}
	var read strings.Builder
	roles := map[string]int{}
	for _, n := range tree.Nodes {
		if n.Ignored {
			continue
		}
		role, name := text(n.Role), text(n.Name)
		roles[role]++
		fmt.Fprintf(&read, "%s: %s\n", role, name)
		if (role == "DisclosureTriangle" || role == "heading" || role == "region" || role == "columnheader") && name == "" {
			t.Errorf("a %s has no name", role)
		}
		if role == "image" || role == "img" || role == "graphics-document" || role == "SvgRoot" {
			t.Errorf("a drawing is read out: %s", name)
		}
	}
	for _, want := range []string{
		"heading: Boot of 12065551219: Failure", "heading: What went wrong", "heading: Where the time went", "heading: WebTicket",
		"columnheader: Glass", "rowheader: AddressAcquire", "region: Messages",
	} {
		if !strings.Contains(read.String(), want+"\n") {
			t.Errorf("%s is not read", want)
		}
	}
	if !strings.Contains(read.String(), "http to atl-cs-001.litwareinc.com (10.20.0.10:443): POST /WebTicket/WebTicketService.svc/pin Issue") {
		t.Errorf("the request for the ticket is not read:\n%s", read.String())
	}
	if roles["DisclosureTriangle"] < 30 || roles["table"] != 1 {
		t.Errorf("%v", roles)
	}
}
