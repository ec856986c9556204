//go:build outside

package outside

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/rig"
)

// webTraffic is what a handset asked of the web services, and what they answered, in the order of the connection.
type webTraffic struct{ requests, answers [][]byte }

func readWebTraffic(t *testing.T, capture string) (w webTraffic) {
	t.Helper()
	client, server := decrypted(t, capture, enrollment)
	for r := bufio.NewReader(bytes.NewReader(client)); ; {
		request, err := http.ReadRequest(r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		w.requests = append(w.requests, readAll(t, request.Body))
	}
	for r := bufio.NewReader(bytes.NewReader(server)); len(w.answers) < len(w.requests); {
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.answers = append(w.answers, readAll(t, answer.Body))
	}
	return w
}

func readAll(t *testing.T, body io.ReadCloser) []byte {
	t.Helper()
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// enrollment finds GetAndPublishCert and makes its proof key of the entropies that came before it.
func (w webTraffic) enrollment(t *testing.T) (request, key []byte) {
	t.Helper()
	secret := regexp.MustCompile(`<(?:\w+:)?BinarySecret[^>]*>([^<]+)<`)
	entropy := func(b []byte) []byte {
		found := secret.FindSubmatch(b)
		if found == nil {
			return nil
		}
		value, err := base64.StdEncoding.DecodeString(string(found[1]))
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	for i, b := range w.requests {
		if ours, theirs := entropy(b), entropy(w.answers[i]); ours != nil && theirs != nil {
			key = proofKey(ours, theirs)
		}
		if bytes.Contains(b, []byte("<GetAndPublishCert ")) {
			request = b
		}
	}
	if request == nil || key == nil {
		t.Fatalf("no GetAndPublishCert with entropies before it in %d requests", len(w.requests))
	}
	return request, key
}

// proofKey is P_SHA1 with the handset's entropy as secret and the pool's as seed.
func proofKey(ours, theirs []byte) []byte { return expand(sha1.New, ours, theirs, 32) }

// xmlsec has xmlsec1 verify the signature in the request's Security header.
func xmlsec(t *testing.T, request, key []byte) (valid bool, output string) {
	t.Helper()
	dir := t.TempDir()
	file, keyFile := filepath.Join(dir, "request.xml"), filepath.Join(dir, "proof.key")
	for name, b := range map[string][]byte{file: request, keyFile: key} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const utility = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	out, err := exec.CommandContext(
		t.Context(), program(t, "xmlsec1"), "--verify", "--hmackey", keyFile, "--id-attr:Id", utility+":Timestamp",
		// The assertion, which stands before, has a Signature too.
		"--node-xpath", "/*[local-name()='Envelope']/*[local-name()='Header']/*[local-name()='Security']/*[local-name()='Signature']",
		file,
	).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return err == nil, string(out)
}

// TestProofInXmlsec has xmlsec1 verify the GetAndPublishCert that a handset sent, and refuse it when a byte changed.
func TestProofInXmlsec(t *testing.T) {
	for _, lab := range configs.Labs() {
		t.Run(lab, func(t *testing.T) {
			t.Parallel()
			request, key := readWebTraffic(t, capturedBoot(t, lab, rig.DefaultProfile, true)).enrollment(t)
			if valid, output := xmlsec(t, request, key); !valid {
				t.Fatalf("xmlsec1 refuses the request:\n%s\n%s", output, request)
			}
			if valid, output := xmlsec(t, request, append([]byte{key[0] ^ 1}, key[1:]...)); valid || !strings.Contains(output, "FAIL") {
				t.Errorf("another key, %t:\n%s", valid, output)
			}
			for _, before := range []string{"<wsu:Timestamp", "<DigestValue>", "<SignatureValue>"} {
				changed := changeAfter(t, request, before)
				if valid, output := xmlsec(t, changed, key); valid || !strings.Contains(output, "FAIL") {
					t.Errorf("a byte after %s is changed, %t:\n%s", before, valid, output)
				}
			}
		})
	}
}

// changeAfter gives the request with another digit in the first text after the mark.
func changeAfter(t *testing.T, request []byte, mark string) []byte {
	t.Helper()
	at := bytes.LastIndex(request, []byte(mark)) // the assertion, which stands before, has a SignatureValue too
	if at < 0 {
		t.Fatalf("no %s in the request", mark)
	}
	text := regexp.MustCompile(`>[0-9A-Za-z+/]`).FindIndex(request[at:])
	if text == nil {
		t.Fatalf("no text after %s", mark)
	}
	changed := bytes.Clone(request)
	switch i := at + text[1] - 1; changed[i] {
	case '2':
		changed[i] = '1'
	default:
		changed[i] = '2'
	}
	return changed
}
