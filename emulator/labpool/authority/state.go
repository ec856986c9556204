package authority

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/wholefile"
)

const (
	stateVersion = 2 // version 1 had neither ticket key nor servers
	maxStateSize = 4 << 20
)

// state is what of an authority survives a restart of the lab. Certificates are DER, keys PKCS #1.
type state struct {
	Version   int              `json:"version"`
	PKI       configs.PKI      `json:"pki"`
	Root      issuerState      `json:"root"`
	Signer    issuerState      `json:"signer"`
	Client    issuerState      `json:"client"`
	TicketKey []byte           `json:"ticket_key"`
	Servers   []serverState    `json:"servers"`
	Published []publishedState `json:"published"`
}

type issuerState struct {
	Certificate []byte `json:"certificate"`
	Key         []byte `json:"key"`
}

type publishedState struct {
	SIP         string `json:"sip"`
	DeviceID    string `json:"device"`
	Certificate []byte `json:"certificate"`
}

// restore reads the state file. It returns false if there is none.
func (a *Authority) restore() (bool, error) {
	if a.cfg.State == "" {
		return false, nil
	}
	text, err := wholefile.Read(a.cfg.State, maxStateSize)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return false, fmt.Errorf("%s is damaged: %w", a.cfg.State, err)
	}
	switch {
	case s.Version != stateVersion && s.Version != 1:
		return false, fmt.Errorf("%s has version %d, this program reads versions 1 and %d", a.cfg.State, s.Version, stateVersion)
	case s.PKI != a.cfg.PKI:
		return false, fmt.Errorf("%s holds an authority of %+v, the lab's is %+v: remove the file for a new one", a.cfg.State, s.PKI, a.cfg.PKI)
	}
	for _, f := range []struct {
		from issuerState
		to   *issuer
	}{{s.Root, &a.root}, {s.Signer, &a.signer}, {s.Client, &a.client}} {
		if *f.to, err = f.from.issuer(); err != nil {
			return false, fmt.Errorf("%s is damaged: %w", a.cfg.State, err)
		}
	}
	if name := a.root.certificate.Subject.CommonName; name != a.rootName() {
		return false, fmt.Errorf("%s holds the authority %q of another lab than %s: give another file, or remove it for a new one", a.cfg.State, name, a.cfg.Name)
	}
	if a.tickets = s.TicketKey; s.Version == 1 {
		a.tickets = newTicketKey()
	}
	if len(a.tickets) != ticketKeySize {
		return false, fmt.Errorf("%s is damaged: ticket key of %d bytes, %d expected", a.cfg.State, len(a.tickets), ticketKeySize)
	}
	for _, kept := range s.Servers {
		c, err := kept.certificate()
		if err != nil {
			return false, fmt.Errorf("%s is damaged: %w", a.cfg.State, err)
		}
		a.servers.add(c)
	}
	for _, p := range s.Published {
		if err := a.published.add(p.SIP, p.DeviceID, p.Certificate); err != nil {
			return false, fmt.Errorf("%s is damaged: %w", a.cfg.State, err)
		}
	}
	if s.Version != stateVersion {
		return true, a.save()
	}
	return true, nil
}

// save writes the state file, if there is to be one.
func (a *Authority) save() error {
	if a.cfg.State == "" {
		return nil
	}
	a.saving.Lock()
	defer a.saving.Unlock()
	s := state{
		Version: stateVersion, PKI: a.cfg.PKI, TicketKey: a.tickets, Servers: a.servers.state(), Published: a.published.all(),
	}
	for _, f := range []struct {
		from issuer
		to   *issuerState
	}{{a.root, &s.Root}, {a.signer, &s.Signer}, {a.client, &s.Client}} {
		*f.to = issuerState{f.from.certificate.Raw, x509.MarshalPKCS1PrivateKey(f.from.key)}
	}
	text, err := json.Marshal(s)
	if err == nil {
		err = wholefile.Write(a.cfg.State, text)
	}
	a.unsaved = err
	return err
}

// Unsaved is why the state file does not hold what the authority has come to, nil if it does.
func (a *Authority) Unsaved() error {
	a.saving.Lock()
	defer a.saving.Unlock()
	return a.unsaved
}

func (s issuerState) issuer() (issuer, error) {
	certificate, err := x509.ParseCertificate(s.Certificate)
	if err != nil {
		return issuer{}, err
	}
	key, err := x509.ParsePKCS1PrivateKey(s.Key)
	if err != nil {
		return issuer{}, err
	}
	if public, ok := certificate.PublicKey.(*rsa.PublicKey); !ok || !public.Equal(key.Public()) {
		return issuer{}, fmt.Errorf("the key of %q belongs to another certificate", certificate.Subject.CommonName)
	}
	return issuer{certificate, key}, nil
}

// all returns everything that is published, users in alphabetical order.
func (s *store) all() []publishedState {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []publishedState
	for _, list := range s.byUser {
		for _, p := range list {
			out = append(out, publishedState{p.SIP, p.DeviceID, p.Certificate.Raw})
		}
	}
	slices.SortStableFunc(out, func(a, b publishedState) int { return strings.Compare(a.SIP, b.SIP) })
	return out
}
