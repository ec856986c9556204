package rig

import (
	"context"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/interpose"
	"github.com/phone-edition/lpe/emulator/labpool/manage"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/emulator/wholefile"
)

// ServeOptions say which lab's pool other programs and phones can use, and where: on the computer's own sockets, or on
// the wire of an interface.
type ServeOptions struct {
	Lab    *configs.Lab
	Listen netip.Addr // of this computer
	Ports  Ports

	// Interface joins the lab's stations to the segment of this interface, each with its own MAC address and the lab's
	// address of it. Listen and Ports, but for Management and whether SIPTCP is nil, say nothing then.
	Interface string
	// Network lets the lab bring the network too: leases, the VLAN offer, DNS and time. It is refused where another
	// DHCP server is heard.
	Network bool
	// Cable is the wire of Interface, nil means the interface itself. The pool closes it.
	Cable ethernet.Cable

	State     string // directory of what survives a restart, "": nothing does
	KeyLog    string // file that TLS secrets are added to, "": none
	ReadyFile string // written by [Served.WriteReady], removed at the end; "": none
	Observers []func(timeline.Observation)
	Ear       interpose.Ear    // hears every message of the pool and the handsets, nil: nobody does
	Outgoing  labpool.Outgoing // changes what the pool sends, nil: nothing does

	PoolKey func(bits int) (*rsa.PrivateKey, error) // makes RSA keys, nil: a new one each time
}

// Ports are the ports of this computer. A nil one leaves its service off, 0 lets the computer pick one.
type Ports struct {
	HTTP, HTTPS, SIPTLS    *uint16 // nil: picked
	SIPTCP, DHCP, DNS, NTP *uint16
	Management             *uint16 // nil: picked
}

// Served is a pool that others can use.
type Served struct {
	Pool  *labpool.Pool
	Ready manage.Ready

	options ServeOptions
	gone    chan error
	closers []func() error // called in reverse
}

// Serve starts a lab's pool; ctx ends the start alone. Its errors are a *[ComputerError] where the computer lacks
// something, else what cannot be meant.
func Serve(ctx context.Context, o ServeOptions) (*Served, error) {
	if o.Interface != "" { // a real phone writes number and PIN in a form that nobody knows (web-services.md §3.2)
		lab := *o.Lab
		lab.PINForm = "any"
		o.Lab = &lab
	}
	s := &Served{options: o, gone: make(chan error, 1)}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Served) start(ctx context.Context) error {
	o := s.options
	if err := o.check(); err != nil {
		return err
	}
	if o.ReadyFile != "" { // of an earlier pool
		if err := os.Remove(o.ReadyFile); err != nil && !errors.Is(err, os.ErrNotExist) {
			return &ComputerError{err}
		}
	}
	dir, err := s.stateDir()
	if err != nil {
		return &ComputerError{err}
	}
	if err := s.startPool(ctx); err != nil {
		return err
	}
	s.Ready = manage.Ready{
		Lab: o.Lab.Name, SIPDomain: o.Lab.SIPDomain, Pool: o.Lab.Pool, Registrar: s.Pool.EntryName(), CertProvURL: s.Pool.CertProvURL(),
		CA: filepath.Join(dir, "ca.pem"),
	}
	if err := wholefile.Write(s.Ready.CA, s.authorities()); err != nil {
		return &ComputerError{err}
	}
	for _, e := range s.Pool.Endpoints() {
		s.Ready.Addresses = append(s.Ready.Addresses, manage.Address{Service: e.Service, Host: e.Host, Address: e.Address.String()})
	}
	return s.startManagement()
}

// Gone gives the error for which the pool cannot go on: its interface was removed. A link that is lost is told on the
// timeline, and the pool goes on when it is back.
func (s *Served) Gone() <-chan error { return s.gone }

// WriteReady writes the ready file, if there is to be one: everything listens.
func (s *Served) WriteReady() error {
	path := s.options.ReadyFile
	if path == "" {
		return nil
	}
	if err := s.Ready.Write(path); err != nil {
		return &ComputerError{err}
	}
	s.atEnd(func() error {
		if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	})
	return nil
}

// startManagement serves the management API: to this computer alone, wherever the pool listens.
func (s *Served) startManagement() error {
	port := 0
	if chosen := s.options.Ports.Management; chosen != nil {
		port = int(*chosen)
	}
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		return serveError(fmt.Errorf("management API: %w", err))
	}
	s.Ready.Token = manage.NewToken()
	server, err := manage.Start(manage.Config{Pool: s.Pool, Listener: listener, Token: s.Ready.Token})
	if err != nil {
		return err
	}
	s.Ready.ManagementURL = server.URL()
	s.atEnd(server.Close)
	return nil
}

// check refuses what the lab has not got.
func (o ServeOptions) check() error {
	if o.Interface == "" && o.Ports.NTP != nil && o.Lab.Network.NTP == "none" {
		return fmt.Errorf("lab %s has no time server (network.ntp: none)", o.Lab.Name)
	}
	return nil
}

// stateDir is the directory that the CA certificate goes to: a temporary one if nothing is kept.
func (s *Served) stateDir() (string, error) {
	if dir := s.options.State; dir != "" {
		lock, err := wholefile.Lock(dir)
		if err != nil {
			return "", err
		}
		s.atEnd(lock.Close)
		return dir, nil
	}
	dir, err := os.MkdirTemp("", "lpe-pool-*")
	if err != nil {
		return "", err
	}
	s.atEnd(func() error { return os.RemoveAll(dir) })
	return dir, nil
}

func (s *Served) startPool(ctx context.Context) error {
	o := s.options
	party := timeline.New("lab " + o.Lab.Name)
	for _, observe := range o.Observers {
		party.Observe(observe)
	}
	cfg := labpool.Config{Lab: o.Lab, Timeline: party, Ear: o.Ear, Outgoing: o.Outgoing, NewKey: o.PoolKey, SIPTCP: o.Ports.SIPTCP != nil}
	if o.KeyLog != "" {
		log, err := openKeyLog(o.KeyLog)
		if err != nil {
			return &ComputerError{fmt.Errorf("key log: %w", err)}
		}
		s.atEnd(log.Close)
		cfg.KeyLog = log
	}
	if err := s.serveCable(ctx, &cfg); err != nil {
		return err
	}
	if o.State != "" {
		cfg.State, cfg.DirectoryState = filepath.Join(o.State, "authority.json"), filepath.Join(o.State, "directory.json")
	}
	pool, err := labpool.Start(cfg)
	if err != nil {
		return serveError(fmt.Errorf("lab %s: %w", o.Lab.Name, err))
	}
	s.Pool = pool
	s.atEnd(pool.Close)
	return nil
}

// of maps the ports that the lab's stations ask for to those of the computer. A named SIP port is that of the registrar
// which handsets are told; the other machines of the lab, on the same address, have picked ones.
func (p Ports) of(lab *configs.Lab) func(string, uint16) uint16 {
	named := map[uint16]*uint16{80: p.HTTP, 443: p.HTTPS, 5061: p.SIPTLS, 5060: p.SIPTCP, 67: p.DHCP, 53: p.DNS, 123: p.NTP}
	entry := labpool.EntryHost(lab)
	return func(station string, port uint16) uint16 {
		chosen, known := named[port]
		switch {
		case !known: // one that was picked before
			return port
		case chosen == nil || (port == 5060 || port == 5061) && station != entry:
			return 0
		}
		return *chosen
	}
}

// serveError tells what the computer does not give from what cannot be meant.
func serveError(err error) error {
	var taken *ethernet.AddressInUse
	if errors.As(err, &taken) {
		return &ComputerError{fmt.Errorf("%w: give the lab other addresses", err)}
	}
	var op *net.OpError
	if !errors.As(err, &op) {
		return err
	}
	hint := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = ": another program has this port, 0 lets the computer pick one"
	case errors.Is(err, syscall.EACCES):
		hint = ": ports below 1024 need a privilege here"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = ": this computer has no such address"
	}
	return &ComputerError{fmt.Errorf("%w%s", err, hint)}
}

// authorities are the chains that a client must trust, as PEM.
func (s *Served) authorities() []byte {
	var out []byte
	for _, chain := range s.Pool.Authority.Chains() {
		for _, certificate := range chain {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})...)
		}
	}
	return out
}

// WriteTo tells people where the pool is.
func (s *Served) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	o := s.options
	fmt.Fprintf(&b, "lab         %s\nregistrar   %s\ncert-url    %s\n", o.Lab.Name, s.Pool.EntryName(), s.Pool.CertProvURL())
	for _, a := range s.Ready.Addresses {
		fmt.Fprintf(&b, "%-11s %s %s\n", a.Service, a.Address, a.Host)
	}
	fmt.Fprintf(&b, "management  %s\nca          %s\n", s.Ready.ManagementURL, s.Ready.CA)
	if (o.Ports.DHCP != nil || o.Interface != "" && !o.Network) && !o.Lab.Registrar.EnableDHCPServer {
		b.WriteString("EnableDHCPServer is off in this lab: no registrar answers DHCPINFORM.\n")
	}
	if o.Interface != "" || !o.Listen.IsLoopback() {
		b.WriteString("Other computers can reach this pool and sign in to it with the lab's PINs and passwords.\n")
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func (s *Served) atEnd(f func() error) { s.closers = append(s.closers, f) }

// Close ends everything and removes the ready file.
func (s *Served) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}
