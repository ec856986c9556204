package report_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// exchange is a boot with each kind of event, every text of it hostile.
func exchange() *report.Case {
	const hostile = `"><script>alert(1)</script>{{.}}`
	r := failure()
	r.Diagnosis, r.Error, r.TargetFQDN = hostile, hostile, hostile
	r.Warnings = []report.Warning{{Code: "time.no-answer", Text: hostile}}
	r.Probes = []report.Probe{{Name: "tcp", Target: hostile, Outcome: report.Failed, Seen: hostile}}
	r.States = success().States
	r.States[0].Glass.Text = hostile
	c := &report.Case{Name: hostile, Result: r}
	fields := []timeline.Field{{Name: hostile, Value: hostile}}
	at := powerOn
	add := func(o timeline.Observation) {
		at = at.Add(7 * time.Millisecond)
		o.At, o.Party = at, "handset"
		c.Events = append(c.Events, o)
	}
	add(timeline.Observation{Kind: timeline.Note, Text: "before any state"})
	add(timeline.Observation{Kind: timeline.Transition, Text: string(devicestate.LinkDetect), Fields: fields})
	add(timeline.Observation{Kind: timeline.Sent, Protocol: "lldp", Text: hostile, Fields: fields})
	add(timeline.Observation{Kind: timeline.Received, Protocol: "lldp", Peer: hostile, Text: hostile})
	add(timeline.Observation{Kind: timeline.Transition, Text: string(devicestate.AddressAcquire)})
	add(timeline.Observation{Kind: timeline.Sent, Protocol: "dhcp", Peer: "255.255.255.255", Text: "DISCOVER"})
	add(timeline.Observation{Kind: timeline.Dropped, Protocol: "dhcp", Peer: "10.20.0.9", Text: hostile})
	add(timeline.Observation{Kind: timeline.Dropped, Text: "without peer"})
	for n := range 9 {
		add(timeline.Observation{Kind: timeline.Sent, Protocol: "http", Peer: fmt.Sprintf("web%d.example (10.20.0.%d:443)", n, n), Text: "GET"})
		add(timeline.Observation{Kind: timeline.Received, Protocol: "http", Peer: fmt.Sprintf("10.20.0.%d", n), Text: "200", Fields: fields})
	}
	add(timeline.Observation{Kind: timeline.Diagnosis, Code: "ticket.refused", Text: hostile})
	return c
}

// attribute returns the value of an attribute, "" if there is none.
func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// The page holds no script and nothing that leads out of it; its headings do not skip a level, its drawings are told in
// words, its names are unique.
func TestPage(t *testing.T) {
	var out bytes.Buffer
	cases := []*report.Case{exchange(), {Name: "1220", Result: success()}, {Name: "1221"}}
	if err := report.WriteHTML(&out, cases); err != nil {
		t.Fatal(err)
	}
	again := bytes.Buffer{}
	if err := report.WriteHTML(&again, cases); err != nil || again.String() != out.String() {
		t.Errorf("the same cases give another page, %v", err)
	}
	doc, err := html.Parse(&out)
	if err != nil {
		t.Fatal(err)
	}
	level, ids, targets := 0, map[string]bool{}, []string{}
	count := map[string]int{}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		count[n.Data]++
		if slices.Contains([]string{"script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use", "foreignobject"}, n.Data) {
			t.Errorf("the page has an element %s", n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "src", a.Key == "style":
				t.Errorf("%s has an attribute %s", n.Data, a.Key)
			case a.Key == "href" && strings.HasPrefix(a.Val, "#"):
				targets = append(targets, a.Val[1:])
			case a.Key == "href":
				t.Errorf("%s leads to %q", n.Data, a.Val)
			case a.Key == "id" && ids[a.Val]:
				t.Errorf("two elements are named %s", a.Val)
			case a.Key == "id":
				ids[a.Val] = true
			case a.Key == "aria-labelledby":
				targets = append(targets, a.Val)
			}
		}
		switch n.Data {
		case "html":
			if attribute(n, "lang") != "en" {
				t.Error("the page names no language")
			}
		case "svg":
			if attribute(n, "aria-hidden") != "true" {
				t.Error("a drawing is read out")
			}
		case "th":
			if attribute(n, "scope") == "" {
				t.Error("a heading of a table says not what it is for")
			}
		case "h1", "h2", "h3", "h4":
			next := int(n.Data[1] - '0')
			if next > level+1 {
				t.Errorf("%s after a heading of level %d", n.Data, level)
			}
			level = next
		}
	}
	for _, target := range targets {
		if !ids[target] {
			t.Errorf("nothing is named %s", target)
		}
	}
	if count["h1"] != 1 || count["main"] != 1 || count["title"] != 1 || count["details"] != 10 || count["nav"] != 1 {
		t.Errorf("%v", count)
	}
}

func TestPageEscapes(t *testing.T) {
	var out bytes.Buffer
	if err := report.WriteHTML(&out, []*report.Case{exchange()}); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"<script", "ZgotmplZ", "url(", "@import", "http://www"} {
		if strings.Contains(out.String(), wrong) {
			t.Errorf("the page holds %s", wrong)
		}
	}
	if strings.Count(out.String(), "&lt;script&gt;") < 10 {
		t.Error("texts are missing")
	}
}

// What a handset goes on to do for days is not kept.
func TestEventsAreBounded(t *testing.T) {
	o := outputs(t, "html")
	var out bytes.Buffer
	if err := o.Open(&out); err != nil {
		t.Fatal(err)
	}
	c := o.Begin("1219")
	observe := o.Observer(c)
	for range 10_005 {
		observe(timeline.Observation{Kind: timeline.Note, State: devicestate.Ready, Text: "x"})
	}
	if err := o.Record(c, "handset", success()); err != nil {
		t.Fatal(err)
	}
	if err := o.Finish(); err != nil {
		t.Fatal(err)
	}
	if len(c.Events) != 10_000 || c.Lost != 5 || !strings.Contains(out.String(), "5 later events were not kept") {
		t.Errorf("%d events, %d lost", len(c.Events), c.Lost)
	}
}
