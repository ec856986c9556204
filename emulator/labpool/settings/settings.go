// Package settings is what of a lab's configuration changes while its pool runs: what Set-CsRegistrarConfiguration and
// Set-CsWebServiceConfiguration set. The services of the pool read it at each use, so that a change counts at once.
package settings

import (
	"sync"
	"sync/atomic"

	"github.com/phone-edition/lpe/configs"
)

// Settings holds the configuration as it is now. Its methods may be called from several goroutines.
type Settings struct {
	changing    sync.Mutex
	registrar   atomic.Pointer[configs.Registrar]
	webServices atomic.Pointer[configs.WebServices]
}

// New returns the configuration that a lab begins with.
func New(lab *configs.Lab) *Settings {
	s := &Settings{}
	registrar, web := lab.Registrar, lab.WebServices
	s.registrar.Store(&registrar)
	s.webServices.Store(&web)
	return s
}

// Registrar is the registrars' configuration now.
func (s *Settings) Registrar() configs.Registrar { return *s.registrar.Load() }

// WebServices is the web services' configuration now.
func (s *Settings) WebServices() configs.WebServices { return *s.webServices.Load() }

// ChangeRegistrar lets change alter the registrars' configuration. If the result cannot be, nothing changes.
func (s *Settings) ChangeRegistrar(change func(*configs.Registrar)) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	r := s.Registrar()
	change(&r)
	if err := r.Check(); err != nil {
		return err
	}
	s.registrar.Store(&r)
	return nil
}

// ChangeWebServices lets change alter the web services' configuration.
func (s *Settings) ChangeWebServices(change func(*configs.WebServices)) {
	s.changing.Lock()
	defer s.changing.Unlock()
	w := s.WebServices()
	change(&w)
	s.webServices.Store(&w)
}
