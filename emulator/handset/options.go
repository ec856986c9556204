package handset

import (
	"crypto/rsa"
	"crypto/x509"
	"io"

	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// Option says what a handset has besides its profile and its station. An option with nil is as good as none, but for
// [WithTimeline].
type Option func(*config)

// config is what the options said.
type config struct {
	flash        FlashStore
	target       Target
	network      Network
	authorities  []*x509.Certificate
	dhcp         func(DHCPDatagram)
	unlockPIN    secret.Value
	retryRefused bool
	timeline     *timeline.Timeline
	decode       bool
	random       io.Reader
	keyLog       io.Writer
	newKey       func(bits int) (*rsa.PrivateKey, error)
	outgoing     Outgoing
}

// WithFlash keeps what survives a reboot in a store. Without it, it ends with the handset.
func WithFlash(store FlashStore) Option { return func(c *config) { c.flash = store } }

// WithTarget names registrar or certificate provisioning, which the handset else discovers.
func WithTarget(t Target) Option { return func(c *config) { c.target = t } }

// WithNetwork goes before what the lease or the computer says of DNS.
func WithNetwork(n Network) Option { return func(c *config) { c.network = n } }

// WithAuthorities makes the handset trust these certificates instead of the chain that it downloads; none: it downloads
// the chain.
func WithAuthorities(list []*x509.Certificate) Option {
	return func(c *config) { c.authorities = list }
}

// WithDHCP has see called for each DHCP datagram that is sent or comes in. It may be called from another goroutine than
// Run's and must be quick.
func WithDHCP(see func(DHCPDatagram)) Option { return func(c *config) { c.dhcp = see } }

// WithUnlockPIN is what the user sets when the pool wants its phones to lock and this one has no unlock PIN yet. Without
// it the phone does not lock.
func WithUnlockPIN(pin secret.Value) Option { return func(c *config) { c.unlockPIN = pin } }

// WithRetryRefused sends credentials again that flash remembers as refused.
func WithRetryRefused() Option { return func(c *config) { c.retryRefused = true } }

// WithTimeline puts what the handset does and sees on a timeline of the caller's, instead of one of its own. nil: nobody
// watches.
func WithTimeline(t *timeline.Timeline) Option { return func(c *config) { c.timeline = t } }

// WithDecoding puts the fields of each message on the timeline, secrets masked.
func WithDecoding() Option { return func(c *config) { c.decode = true } }

// WithRandom gives the numbers of DHCP, DNS and SNTP by which an answer is told, in place of crypto/rand: with the same
// ones, the same answers are asked for in the same bytes. It may be read from several goroutines.
func WithRandom(r io.Reader) Option { return func(c *config) { c.random = r } }

// WithKeyLog writes the TLS secrets of the outer connections in NSS key log format. Without it nobody can decrypt.
func WithKeyLog(w io.Writer) Option { return func(c *config) { c.keyLog = w } }

// WithNewKey makes the key of the client certificate in place of [rsa.GenerateKey].
func WithNewKey(newKey func(bits int) (*rsa.PrivateKey, error)) Option {
	return func(c *config) { c.newKey = newKey }
}
