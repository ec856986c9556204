// Package importer makes a scenario and a draft profile of a captured boot. tshark reads the capture from the link to
// TLS; all above is read with the codecs that the handset boots with. Nothing is made up: what the capture lacks is
// said.
package importer

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"

	"github.com/phone-edition/lpe/emulator/wholefile"
)

// ErrSecrets is wrapped by errors about the secrets that were given.
var ErrSecrets = errors.New("the secrets cannot be used")

// Options say how a capture is read.
type Options struct {
	KeyLog    string // file of TLS secrets in NSS key log format, "" none besides those in the capture
	ServerKey string // PEM file with a server's RSA key, "" none
	Handset   string // MAC or IP address of the handset, "" if there is one alone
}

// A Capture is what a capture tells of one handset, up to TLS.
type Capture struct {
	File    string
	Handset Party
	Frames  []frame // of ARP, LLDP and UDP
	Streams []*Stream
	Notes   []string // what is wrong with the file itself, and how it was read

	keyLog    []byte
	serverKey bool // one was given
}

// Read reads a capture. The error is a [rig.ComputerError] if the computer lacks tshark; it wraps [ErrSeveral] or
// [ErrNobody] if it is not clear whose boot it is, [ErrNoCapture] if the file is none, [ErrSecrets] if what was given to
// decrypt cannot.
func Read(ctx context.Context, file string, o Options) (c *Capture, err error) {
	if err := checkFile(file); err != nil {
		return nil, err
	}
	r, err := newReader(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	file, err = filepath.Abs(file) // a name that begins with a hyphen is no option then
	if err != nil {
		return nil, err
	}
	people, err := r.takeCensus(ctx, file)
	if err != nil {
		return nil, err
	}
	who, err := r.choose(ctx, file, people, o)
	if err != nil {
		return nil, err
	}
	return r.readHandset(ctx, file, who, o)
}

// choose says whose boot it is.
func (r *reader) choose(ctx context.Context, file string, people *census, o Options) (*Party, error) {
	if o.Handset != "" {
		return people.named(o.Handset)
	}
	found := people.candidates()
	switch len(found) {
	case 0:
		return nil, people.nobody("none that LLDP-MED, a DHCP vendor class or a registration shows")
	case 1:
		return found[0], nil
	}
	for _, p := range found[:min(len(found), maxListed)] {
		c, err := r.readHandset(ctx, file, p, o)
		if err != nil {
			return nil, err
		}
		p.Agents = c.agents()
	}
	return nil, fmt.Errorf("%w; say which with --handset:\n%s", ErrSeveral, list(found))
}

// readHandset reads everything of one party.
func (r *reader) readHandset(ctx context.Context, file string, p *Party, o Options) (*Capture, error) {
	c := &Capture{File: file, Handset: *p}
	n, err := r.sift(ctx, file, "handset", maxHandset, p.sieve())
	if err != nil {
		return nil, err
	}
	c.Notes, c.keyLog = n.notes(), n.secrets
	keys, err := r.secrets(c, o)
	if err != nil {
		return nil, err
	}
	streams := newStreams()
	cut := 0
	complaint, err := r.read(ctx, n.file, allLayers, allFields, append(keys, decrypting...), func(line []string) error {
		f, err := parseFrame(line)
		if err != nil {
			return err
		}
		if f.Number < 1 || f.Number > len(n.numbers) {
			return fmt.Errorf("tshark counts a frame %d of %d", f.Number, len(n.numbers))
		}
		f.Number = n.numbers[f.Number-1]
		if f.Cut {
			cut++
		}
		if f.TCP != nil {
			streams.add(f)
			return nil
		}
		if f.UDP != nil || f.Payload != nil || f.ICMP != nil {
			c.Frames = append(c.Frames, f)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if complaint != "" {
		c.Notes = append(c.Notes, complaint)
	}
	if cut > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("%d frames are shorter in the capture than they were on the wire (snap length): what they carried is lost.", cut))
	}
	c.Streams = streams.finish()
	return c, nil
}

var decrypting = []string{
	"-o", "tcp.desegment_tcp_streams:TRUE", "-o", "tcp.reassemble_out_of_order:TRUE", "-o", "ip.defragment:TRUE", "-o", "tcp.check_checksum:FALSE",
	"-o", "udp.check_checksum:FALSE", "-o", "ip.check_checksum:FALSE", "-o", "tls.desegment_ssl_records:TRUE", "-o", "tls.desegment_ssl_application_data:TRUE",
	"--enable-heuristic", "tls_tcp", "-d", "tcp.port==5061,tls", "-d", "tcp.port==443,tls",
}

const maxServerKey = 64 << 10

// secretLine is a line of a key log (NSS key log format, draft-ietf-tls-keylogfile).
var secretLine = regexp.MustCompile(`(?m)^(?:[A-Z0-9_]+ [0-9A-Fa-f]{64}|RSA [0-9A-Fa-f]{16}) [0-9A-Fa-f]{32,}\s*$`)

// secrets gathers what decrypts: the capture's own secrets, a key log and a server's key, all in private files.
func (r *reader) secrets(c *Capture, o Options) (args []string, err error) {
	if o.KeyLog != "" {
		given, err := wholefile.Read(o.KeyLog, maxSecrets)
		if err != nil {
			return nil, fmt.Errorf("%w: key log: %w", ErrSecrets, err)
		}
		if !secretLine.Match(given) {
			return nil, fmt.Errorf("%w: key log %s: no line of it is a secret: LABEL, random of the client, secret", ErrSecrets, o.KeyLog)
		}
		c.keyLog = append(append(c.keyLog, given...), '\n')
	}
	if len(c.keyLog) > 0 {
		log := filepath.Join(r.dir, "keylog")
		if err := wholefile.Write(log, c.keyLog); err != nil {
			return nil, err
		}
		args = append(args, "-o", "tls.keylog_file:"+log)
	}
	if o.ServerKey != "" {
		key, err := wholefile.Read(o.ServerKey, maxServerKey)
		if err != nil {
			return nil, fmt.Errorf("%w: server key: %w", ErrSecrets, err)
		}
		if err := checkServerKey(key); err != nil {
			return nil, fmt.Errorf("%w: server key %s: %w", ErrSecrets, o.ServerKey, err)
		}
		c.serverKey = true
		copied := filepath.Join(r.dir, "server.pem")
		if err := wholefile.Write(copied, key); err != nil {
			return nil, err
		}
		args = append(args, "-o", fmt.Sprintf("uat:rsa_keys:%q,\"\"", copied))
	}
	return args, nil
}
