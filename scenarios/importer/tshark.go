package importer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/wholefile"
)

var errNoTshark = errors.New("a capture is read through tshark, which is not there; on Debian and Ubuntu: apt-get install tshark")

// ErrNoCapture is wrapped by errors about files that are no capture, or none that can be read.
var ErrNoCapture = errors.New("not a capture that can be read")

// reader runs tshark in a private directory, with settings of its own: those of the user do not enter.
type reader struct {
	path string // of tshark
	dir  string // private; holds settings, keys and the sifted capture
}

// decodes is what tshark takes apart. All else is left to this program's own codecs, as bytes.
var decodes = []string{
	"frame", "eth", "ethertype", "vlan", "ieee8021ad", "llc", "sll", "null", "raw", "pppoes", "ppp", "gre", "erspan", "vxlan", "ip", "ipv6", "ipv6.fraghdr", "ipv6.hopopts",
	"ipv6.dstopts", "ipv6.routing", "udp", "tcp", "tls", "data", "x509sat", "x509af", "x509ce", "x509if", "pkcs1", "pkix1explicit",
	"pkix1implicit", "ber",
}

// Names of settings directories: who is there can be told without TLS.
const (
	allLayers   = "all"
	withoutTLS  = "no-tls"
	privateMode = 0o700
)

// newReader looks for tshark and prepares its settings. Close removes them.
func newReader(ctx context.Context) (*reader, error) {
	path, err := exec.LookPath("tshark")
	if err != nil {
		return nil, &rig.ComputerError{Err: errNoTshark}
	}
	dir, err := os.MkdirTemp("", "lpe-import")
	if err != nil {
		return nil, &rig.ComputerError{Err: err}
	}
	r := &reader{path: path, dir: dir}
	if err := r.settings(ctx); err != nil {
		return nil, &rig.ComputerError{Err: errors.Join(err, r.Close())}
	}
	return r, nil
}

// Close removes the private directory with all keys in it.
func (r *reader) Close() error { return os.RemoveAll(r.dir) }

// settings tells tshark to take nothing apart above TLS, TCP and UDP: whatever stands there it then hands out as data.
func (r *reader) settings(ctx context.Context) error {
	if err := os.Mkdir(filepath.Join(r.dir, allLayers), privateMode); err != nil {
		return err
	}
	c := r.command(ctx, allLayers, "-G", "protocols")
	list, err := c.Output()
	if err != nil {
		return fmt.Errorf("tshark -G protocols: %w", err)
	}
	for name, besides := range map[string][]string{allLayers: nil, withoutTLS: {"tls"}} {
		var out bytes.Buffer
		known := map[string]bool{}
		for line := range strings.Lines(string(list)) {
			columns := strings.Split(strings.TrimSpace(line), "\t")
			protocol := columns[len(columns)-1]
			known[protocol] = true
			if strings.HasPrefix(protocol, "_ws.") || slices.Contains(decodes, protocol) && !slices.Contains(besides, protocol) {
				continue
			}
			out.WriteString(protocol + "\n")
		}
		for _, needed := range []string{"eth", "ip", "udp", "tcp", "tls", "data"} {
			if !known[needed] {
				return fmt.Errorf("this tshark does not know the protocol %q; version 4.0 does", needed)
			}
		}
		if err := wholefile.Write(filepath.Join(r.dir, name, "disabled_protos"), out.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) command(ctx context.Context, settings string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, r.path, args...)
	c.Env = append(os.Environ(), "WIRESHARK_CONFIG_DIR="+filepath.Join(r.dir, settings), "LC_ALL=C", "TZ=UTC", "SSLKEYLOGFILE=")
	return c
}

// maxLine bounds a line of tshark's output: a frame of 64 KiB twice in hex, and the TLS records that it completes.
const maxLine = 16 << 20

// read runs tshark over a file and hands out the fields of each frame. The complaint is what tshark had against the file
// behind the last frame, "" if it read to the end in good order.
func (r *reader) read(ctx context.Context, file, settings string, fields, args []string, each func([]string) error) (complaint string, err error) {
	all := []string{"-n", "-Q", "-r", file, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=,"}
	for _, f := range fields {
		all = append(all, "-e", f)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := r.command(ctx, settings, append(all, args...)...)
	var said tail
	c.Stderr = &said
	out, err := c.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := c.Start(); err != nil {
		return "", &rig.ComputerError{Err: fmt.Errorf("tshark: %w", err)}
	}
	err = eachLine(out, func(line string) error {
		values := strings.Split(line, "\t")
		if len(values) < len(fields) {
			return fmt.Errorf("tshark gave %d fields, %d expected", len(values), len(fields))
		}
		return each(values)
	})
	if err != nil {
		cancel()
	}
	ended := c.Wait()
	switch {
	case err != nil:
		return "", err
	case ended == nil:
		return "", nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	}
	complaint = strings.ReplaceAll(said.text(r.dir), `The file "`+filepath.Base(file)+`"`, "The capture")
	if complaint == "" {
		return "", &rig.ComputerError{Err: fmt.Errorf("tshark: %w", ended)}
	}
	return complaint, nil
}

func eachLine(in io.Reader, each func(string) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for lines.Scan() {
		if err := each(lines.Text()); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("%w: one frame has more than %d bytes", ErrNoCapture, maxLine)
	}
	return lines.Err()
}

// tail keeps the first part of what tshark says on standard error.
type tail struct{ said []byte }

const maxSaid = 4 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.said = append(t.said, b[:min(len(b), maxSaid-len(t.said))]...)
	return len(b), nil
}

// text is what was said, in one line, without the remark about running as root and without names of private files.
func (t *tail) text(private string) string {
	var out []string
	for line := range strings.Lines(string(t.said)) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "tshark: ")
		if line != "" && !strings.HasPrefix(line, "Running as user") {
			out = append(out, strings.ReplaceAll(line, private+string(filepath.Separator), ""))
		}
	}
	return strings.ToValidUTF8(strings.Join(out, " "), "\uFFFD")
}
