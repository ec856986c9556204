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
	stateVersion = 1
	maxStateSize = 4 << 20
)

// state is what of an authority survives a restart of the lab. Certificates are DER, keys PKCS #1.
type state struct {
	Version   int              `json:"version"`
	PKI       configs.PKI      `json:"pki"`
	Root      issuerState      `json:"root"`
	Signer    issuerState      `json:"signer"`
	Client    issuerState      `json:"client"`
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
	case s.Version != stateVersion:
		return false, fmt.Errorf("%s has version %d, this program reads version %d", a.cfg.State, s.Version, stateVersion)
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
	for _, p := range s.Published {
		if err := a.published.add(p.SIP, p.DeviceID, p.Certificate); err != nil {
			return false, fmt.Errorf("%s is damaged: %w", a.cfg.State, err)
		}
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
	s := state{Version: stateVersion, PKI: a.cfg.PKI, Published: a.published.all()}
	for _, f := range []struct {
		from issuer
		to   *issuerState
	}{{a.root, &s.Root}, {a.signer, &s.Signer}, {a.client, &s.Client}} {
		*f.to = issuerState{f.from.certificate.Raw, x509.MarshalPKCS1PrivateKey(f.from.key)}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return wholefile.Write(a.cfg.State, text)
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
