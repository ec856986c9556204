// Package authority is the lab's public key infrastructure: a root, perhaps an intermediate, the servers'
// certificates, and the pool's own small authority for handsets' certificates with the store of published ones.
package authority

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/phone-edition/lpe/configs"
)

// KeySource makes an RSA key of the given size, or hands out one that was prepared.
type KeySource func(bits int) (*rsa.PrivateKey, error)

// Config says what the lab's PKI is like.
type Config struct {
	PKI  configs.PKI
	Name string           // in the names of root and intermediate, such as litware
	Now  func() time.Time // the pool's clock, nil: time.Now
	Keys KeySource        // nil: a new key each time
	// State is a file of mode 0600 that keeps keys, server certificates and published ones; "" means that they end with
	// the process.
	State string
}

const (
	day           = 24 * time.Hour
	rootLife      = 20 * 365 * day
	serverLife    = 3 * 365 * day
	backdating    = 365 * day // roots and servers are a year old already, five for the root
	serialBits    = 120
	clientCAName  = "Communications Server" // issuer of handsets' certificates, recollected (web-services.md §4.5)
	clientKeyBits = 2048                    // CASigningKeyLength's default (web-services.md §4.5)
)

// issuer is a certificate authority.
type issuer struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
}

// Authority issues the lab's certificates. Its methods may be called from several goroutines.
type Authority struct {
	cfg       Config
	signature x509.SignatureAlgorithm

	root    issuer
	signer  issuer              // of server certificates: the intermediate if there is one
	between []*x509.Certificate // intermediates, from the signer up
	client  issuer
	tickets []byte // key of web tickets

	servers   servers
	published store

	saving  sync.Mutex // guards what follows, and the state file
	unsaved error
}

// New makes the authorities of a lab.
func New(cfg Config) (*Authority, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Keys == nil {
		cfg.Keys = func(bits int) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) }
	}
	a := &Authority{cfg: cfg}
	if err := a.open(); err != nil {
		return nil, fmt.Errorf("lab authority %s: %w", cfg.Name, err)
	}
	return a, nil
}

// open restores what the state file holds, else makes new authorities and saves them.
func (a *Authority) open() error {
	switch a.cfg.PKI.Signature {
	case "sha1":
		a.signature = x509.SHA1WithRSA
	case "sha256":
		a.signature = x509.SHA256WithRSA
	default:
		return fmt.Errorf("signature %q, sha1 or sha256 expected", a.cfg.PKI.Signature)
	}
	restored, err := a.restore()
	if err != nil {
		return err
	}
	if !restored {
		if err := a.make(); err != nil {
			return err
		}
	}
	if a.cfg.PKI.Intermediate {
		a.between = []*x509.Certificate{a.signer.certificate}
	}
	if restored {
		return nil
	}
	return a.save()
}

func (a *Authority) make() error {
	var err error
	if a.root, err = a.authority(a.rootName(), a.cfg.PKI.KeyBits, nil); err != nil {
		return err
	}
	a.signer = a.root
	if a.cfg.PKI.Intermediate {
		if a.signer, err = a.authority(a.cfg.Name+" Issuing CA", a.cfg.PKI.KeyBits, &a.root); err != nil {
			return err
		}
	}
	a.tickets = newTicketKey()
	a.client, err = a.authority(clientCAName, clientKeyBits, nil)
	return err
}

const ticketKeySize = 32

func newTicketKey() []byte {
	key := make([]byte, ticketKeySize)
	rand.Read(key) // never fails, crypto/rand
	return key
}

// TicketKey is the key that the pool's web tickets are made with.
func (a *Authority) TicketKey() []byte { return bytes.Clone(a.tickets) }

func (a *Authority) rootName() string { return a.cfg.Name + " Root CA" }

// authority makes a certificate authority; without a parent it signs itself.
func (a *Authority) authority(name string, bits int, parent *issuer) (issuer, error) {
	key, err := a.cfg.Keys(bits)
	if err != nil {
		return issuer{}, fmt.Errorf("key of %s: %w", name, err)
	}
	now := a.cfg.Now()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-5 * backdating),
		NotAfter:              now.Add(rootLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	self := issuer{certificate: template, key: key}
	if parent == nil {
		parent = &self
	}
	certificate, err := a.sign(template, *parent, key.Public())
	if err != nil {
		return issuer{}, fmt.Errorf("certificate of %s: %w", name, err)
	}
	return issuer{certificate: certificate, key: key}, nil
}

// sign issues a certificate with a serial number of its own: an issuer and serial seen twice with another key is a
// corrupted certificate to some clients (sip.md §1.4).
func (a *Authority) sign(template *x509.Certificate, by issuer, public any) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	template.SerialNumber = serial.Add(serial, big.NewInt(1))
	template.SignatureAlgorithm = a.signature
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, public, by.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Chains are the chains that the root-chain download gives, each from the lowest authority up to its root.
func (a *Authority) Chains() [][]*x509.Certificate {
	return [][]*x509.Certificate{append(append([]*x509.Certificate{}, a.between...), a.root.certificate)}
}

// ServerOptions spoil a server certificate. The zero value is a good one.
type ServerOptions struct {
	Wildcard    bool // one name only, a wildcard for the domain of the first
	Expired     bool // since yesterday
	NotYetValid bool // for another month
	WrongName   bool // for a host of another domain
	Untrusted   bool // issued by a root of the same name that nobody was told about
}

// Server issues a certificate for the names, the first of which is its CN; all are DNS names of its SAN. The chain
// carries the intermediates and not the root. A good one is kept and given again while it is valid.
func (a *Authority) Server(names []string, o ServerOptions) (tls.Certificate, error) {
	if len(names) == 0 {
		return tls.Certificate{}, fmt.Errorf("server certificate of lab %s: no name", a.cfg.Name)
	}
	if o == (ServerOptions{}) {
		if kept, ok := a.servers.find(unique(names), a.cfg.Now()); ok {
			return kept, nil
		}
	}
	c, err := a.server(serverNames(names, o), o)
	if err == nil && o == (ServerOptions{}) {
		a.servers.add(c)
		err = a.save()
	}
	if err != nil {
		return c, fmt.Errorf("certificate of %s: %w", names[0], err)
	}
	return c, nil
}

func (a *Authority) server(names []string, o ServerOptions) (tls.Certificate, error) {
	key, err := a.cfg.Keys(a.cfg.PKI.KeyBits)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("key: %w", err)
	}
	now := a.cfg.Now()
	from, to := now.Add(-backdating), now.Add(serverLife-backdating)
	switch {
	case o.Expired:
		from, to = now.Add(-backdating-day), now.Add(-day)
	case o.NotYetValid:
		from = now.Add(30 * day)
	}
	signer, between := a.signer, a.between
	if o.Untrusted {
		between = nil
		if signer, err = a.authority(a.root.certificate.Subject.CommonName, a.cfg.PKI.KeyBits, nil); err != nil {
			return tls.Certificate{}, err
		}
	}
	leaf, err := a.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: names[0]},
		NotBefore:   from,
		NotAfter:    to,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    names,
	}, signer, key.Public())
	if err != nil {
		return tls.Certificate{}, err
	}
	c := tls.Certificate{PrivateKey: key, Leaf: leaf, Certificate: [][]byte{leaf.Raw}}
	for _, authority := range between {
		c.Certificate = append(c.Certificate, authority.Raw)
	}
	return c, nil
}
