package manage

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"

	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/wholefile"
)

const (
	readySchema  = "lpe.pool/1"
	maxReadyFile = 64 << 10
)

// Ready is the ready file of a pool that other programs use: JSON that only its owner can read.
type Ready struct {
	Schema        string       `json:"schema"` // filled in when written
	Lab           string       `json:"lab"`
	SIPDomain     string       `json:"sipDomain"`
	Pool          string       `json:"pool"`        // FQDN
	Registrar     string       `json:"registrar"`   // FQDN of the registrar that handsets are told; the first sip-tls address is its
	CertProvURL   string       `json:"certProvUrl"` // of certificate provisioning
	CA            string       `json:"ca"`          // path of the PEM file with the lab's authorities
	Addresses     []Address    `json:"addresses"`
	ManagementURL string       `json:"managementUrl"` // http://127.0.0.1:PORT
	Token         secret.Value `json:"-"`             // "token"
}

// Address is where one service of the pool is.
type Address struct {
	Service string `json:"service"` // http, https, sip-tls, sip-tcp, dhcp, dns, ntp
	Host    string `json:"host"`    // FQDN of the computer that it stands for
	Address string `json:"address"` // address:port
}

// readyFile is a ready file as it is written.
type readyFile struct {
	Ready
	Token string `json:"token"`
}

// Write writes the ready file whole, with mode 0600.
func (r Ready) Write(path string) error {
	r.Schema = readySchema
	text, err := json.MarshalIndent(readyFile{r, r.Token.Reveal()}, "", "  ")
	if err != nil {
		return err
	}
	return wholefile.Write(path, append(text, '\n'))
}

// ReadReady reads a ready file. An absent one is an error that wraps fs.ErrNotExist.
func ReadReady(path string) (Ready, error) {
	text, err := wholefile.Read(path, maxReadyFile)
	if err != nil {
		return Ready{}, err
	}
	var file readyFile
	if err := decode(text, &file); err != nil {
		return Ready{}, fmt.Errorf("%s is no ready file of a pool, it is %w", path, err)
	}
	ready := file.Ready
	ready.Token = secret.New(file.Token)
	switch {
	case ready.Schema != readySchema:
		return Ready{}, fmt.Errorf("%s is no ready file of a pool: its schema is %.40q, %s expected", path, ready.Schema, readySchema)
	case !isLoopback(ready.ManagementURL):
		return Ready{}, fmt.Errorf("%s: managementUrl is no http URL of a loopback address: the pool has no management API", path)
	case ready.Token.IsZero():
		return Ready{}, fmt.Errorf("%s: it has no token", path)
	}
	return ready, nil
}

// isLoopback reports whether the token may be sent there.
func isLoopback(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" {
		return false
	}
	at, err := netip.ParseAddrPort(u.Host)
	return err == nil && at.Addr().IsLoopback() && at.Port() != 0
}
