package authority

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"sync"
	"time"
)

// maxServers bounds the server certificates that are kept; the oldest goes first.
const maxServers = 64

// servers are the server certificates that were issued, the oldest first.
type servers struct {
	mu   sync.Mutex
	list []tls.Certificate
}

// find returns the certificate for the names if it is valid.
func (s *servers) find(names []string, now time.Time) (tls.Certificate, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.list {
		if slices.Equal(c.Leaf.DNSNames, names) && now.After(c.Leaf.NotBefore) && now.Before(c.Leaf.NotAfter) {
			return c, true
		}
	}
	return tls.Certificate{}, false
}

// add keeps a certificate in place of an older one for the same names.
func (s *servers) add(c tls.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(o tls.Certificate) bool { return slices.Equal(o.Leaf.DNSNames, c.Leaf.DNSNames) })
	s.list = append(s.list, c)
	if len(s.list) > maxServers {
		s.list = slices.Delete(s.list, 0, len(s.list)-maxServers)
	}
}

// serverState is a server certificate in the state file: a chain of DER from the leaf on, and its key in PKCS #1.
type serverState struct {
	Chain [][]byte `json:"chain"`
	Key   []byte   `json:"key"`
}

func (s *servers) state() []serverState {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []serverState
	for _, c := range s.list {
		if key, ok := c.PrivateKey.(*rsa.PrivateKey); ok {
			out = append(out, serverState{c.Certificate, x509.MarshalPKCS1PrivateKey(key)})
		}
	}
	return out
}

func (s serverState) certificate() (tls.Certificate, error) {
	if len(s.Chain) == 0 {
		return tls.Certificate{}, fmt.Errorf("a server certificate without a chain")
	}
	leaf, err := issuerState{s.Chain[0], s.Key}.issuer()
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: s.Chain, PrivateKey: leaf.key, Leaf: leaf.certificate}, nil
}
