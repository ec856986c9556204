//go:build peers

package outside

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// conversation is what was said on one TCP connection of a capture, inside TLS if there is any.
type conversation struct {
	port           string
	client, server string
}

// conversations puts the connections to the pool together, in the order in which they were opened.
func conversations(t *testing.T, path string) []conversation {
	t.Helper()
	list := map[string]*conversation{} // by stream
	var streams []string
	args := []string{"-q"}
	opened := tsharkFields(t, path, `tcp.flags.syn == 1 && tcp.flags.ack == 0 && frame.interface_name == "handset"`, "tcp.stream", "tcp.dstport")
	for line := range strings.Lines(opened) {
		stream, port, _ := strings.Cut(strings.TrimSpace(line), "\t")
		protocol := "tls"
		if port == "80" {
			protocol = "tcp"
		}
		streams, list[stream] = append(streams, stream), &conversation{port: port}
		args = append(args, "-z", fmt.Sprintf("follow,%s,raw,%s", protocol, stream))
	}
	var c *conversation
	for line := range strings.Lines(tshark(t, path, args...)) {
		line = strings.TrimRight(line, "\r\n")
		if stream, ok := strings.CutPrefix(line, "Filter: tcp.stream eq "); ok {
			c = list[stream]
			continue
		}
		text, fromServer := strings.CutPrefix(line, "\t")
		b, err := hex.DecodeString(text)
		switch {
		case err != nil || c == nil: // the frame around it
		case fromServer:
			c.server += string(b)
		default:
			c.client += string(b)
		}
	}
	var out []conversation
	for _, stream := range streams {
		out = append(out, *list[stream])
	}
	return out
}

// masks are all that differs between two runs that say the same; the first group of each stays.
var masks = []struct {
	what    string
	pattern *regexp.Regexp
}{
	{"random", regexp.MustCompile(`(\b(?:opaque|crand|srand)="|;ms-opaque=|\bContext="|AssertionID="|MessageID>uuid:|RequestID[^>]*>|AssertionID">)[0-9A-Za-z-]+`)},
	{"random", regexp.MustCompile(`(/TLS 10\.[0-9.]+:|sip:10\.[0-9.]+:|ms-received-port=)\d+`)}, // port of the connection
	{"key, certificate or signature", regexp.MustCompile(`(<(?:\w+:)?(?:BinarySecret|BinarySecurityToken|CipherValue|DigestValue|SignatureValue|RootCertChain)(?: [^>]*)?>)[^<]+`)},
	{"key or certificate", regexp.MustCompile(`(gssapi-data=")[^"]+`)},
	{"signature", regexp.MustCompile(`((?:response|rspauth)=")[0-9a-f]+`)},
	{"date", regexp.MustCompile(`((?m:^Date: )).*`)},
	{"date", regexp.MustCompile(`()\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z`)},
	{"tag", regexp.MustCompile(`(;tag=)[0-9A-Fa-f]+`)},
	{"Call-ID", regexp.MustCompile(`((?m:^Call-ID: ))[0-9a-f]+`)},
	{"length", regexp.MustCompile(`((?m:^Content-Length: ))\d+`)},
}

// masked leaves out what differs, and notes the masks that were of use.
func masked(text string, used map[int]bool) string {
	for i, m := range masks {
		if m.pattern.MatchString(text) {
			used[i] = true
		}
		text = m.pattern.ReplaceAllString(text, "${1}("+m.what+")")
	}
	return text
}

// wantSameTexts holds HTTP and SIP of two captures against each other, connection for connection, both directions.
func wantSameTexts(t *testing.T, segment, wire string) {
	t.Helper()
	want, got := conversations(t, segment), conversations(t, wire)
	if len(want) != len(got) || len(want) < 4 {
		t.Fatalf("%d connections on the Segment, %d on the wire", len(want), len(got))
	}
	used := map[int]bool{}
	for i := range want {
		if want[i].port != got[i].port || want[i].client == "" || want[i].server == "" {
			t.Errorf("connection %d: port %s, then %s, with %d and %d bytes", i, want[i].port, got[i].port, len(want[i].client), len(want[i].server))
		}
		for _, texts := range [][2]string{{want[i].client, got[i].client}, {want[i].server, got[i].server}} {
			if diff := cmp.Diff(masked(texts[0], used), masked(texts[1], used)); diff != "" {
				t.Errorf("connection %d to port %s (-on the Segment +on the wire):\n%s", i, want[i].port, diff)
			}
		}
	}
	for i, m := range masks {
		if !used[i] {
			t.Errorf("mask %s matches nothing", m.pattern)
		}
	}
}
