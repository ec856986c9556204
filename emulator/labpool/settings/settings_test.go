package settings_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/settings"
)

func litware(t *testing.T) *configs.Lab {
	t.Helper()
	lab, err := configs.LoadLab("litware")
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

func TestChange(t *testing.T) {
	lab := litware(t)
	s := settings.New(lab)
	if s.Registrar() != lab.Registrar || s.WebServices() != lab.WebServices {
		t.Error("a lab begins with another configuration than its own")
	}
	if err := s.ChangeRegistrar(func(r *configs.Registrar) { r.MaxEndpointsPerUser, r.EnableDHCPServer = 3, false }); err != nil {
		t.Fatal(err)
	}
	s.ChangeWebServices(func(w *configs.WebServices) { w.UsePINAuth = false })
	if r := s.Registrar(); r.MaxEndpointsPerUser != 3 || r.EnableDHCPServer || r.DefaultEndpointExpiration != 600 {
		t.Errorf("%+v", r)
	}
	if w := s.WebServices(); w.UsePINAuth || !w.UseCertificateAuth {
		t.Errorf("%+v", w)
	}
	if !lab.Registrar.EnableDHCPServer || !lab.WebServices.UsePINAuth {
		t.Error("the lab itself has changed")
	}
}

func TestBounds(t *testing.T) {
	s := settings.New(litware(t))
	for want, change := range map[string]func(*configs.Registrar){
		"DefaultEndpointExpiration: 200 s is not between": func(r *configs.Registrar) { r.DefaultEndpointExpiration = 200 },
		"DefaultEndpointExpiration: 901 s is not between": func(r *configs.Registrar) { r.DefaultEndpointExpiration = 901 },
		"MinEndpointExpiration: 59 is not in the range":   func(r *configs.Registrar) { r.MinEndpointExpiration = 59 },
		"MaxEndpointExpiration: 86401 is not":             func(r *configs.Registrar) { r.MaxEndpointExpiration = 86401 },
		"MaxEndpointsPerUser: 0 is not in the range 1 to": func(r *configs.Registrar) { r.MaxEndpointsPerUser = 0 },
		"MaxEndpointsPerUser: 65 is not":                  func(r *configs.Registrar) { r.MaxEndpointsPerUser = 65 },
	} {
		before := s.Registrar()
		if err := s.ChangeRegistrar(change); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if s.Registrar() != before {
			t.Errorf("%s: changed all the same", want)
		}
	}
}

// Changes beside each other are all kept, and nobody reads half of one.
func TestChangesBesideEachOther(t *testing.T) {
	s := settings.New(litware(t))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 100 {
				err := s.ChangeRegistrar(func(r *configs.Registrar) {
					r.MinEndpointExpiration++
					r.DefaultEndpointExpiration++
					r.MaxEndpointExpiration++
				})
				if r := s.Registrar(); err != nil || r.MaxEndpointExpiration-r.MinEndpointExpiration != 600 {
					t.Errorf("%+v, %v", r, err)
				}
			}
		})
	}
	group.Wait()
	if got := s.Registrar().DefaultEndpointExpiration; got != 1000 {
		t.Errorf("%d after 400 changes by 1 from 600", got)
	}
}
