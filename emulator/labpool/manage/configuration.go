package manage

import (
	"net/http"

	"github.com/phone-edition/lpe/configs"
)

// RegistrarChange are the settings to change, as Set-CsRegistrarConfiguration takes them; nil: it stays.
type RegistrarChange struct {
	EnableDHCPServer          *bool `json:"EnableDHCPServer,omitempty"`
	DefaultEndpointExpiration *int  `json:"DefaultEndpointExpiration,omitempty"`
	MinEndpointExpiration     *int  `json:"MinEndpointExpiration,omitempty"`
	MaxEndpointExpiration     *int  `json:"MaxEndpointExpiration,omitempty"`
	MaxEndpointsPerUser       *int  `json:"MaxEndpointsPerUser,omitempty"`
}

// WebServicesChange are the settings to change, as Set-CsWebServiceConfiguration takes them; nil: it stays.
type WebServicesChange struct {
	UsePinAuth              *bool `json:"UsePinAuth,omitempty"`
	UseCertificateAuth      *bool `json:"UseCertificateAuth,omitempty"`
	UseWindowsAuth          *bool `json:"UseWindowsAuth,omitempty"`
	EnableCertChainDownload *bool `json:"EnableCertChainDownload,omitempty"`
}

func set[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}

func (s *Server) getRegistrar(*http.Request) (any, error) {
	r := s.pool.Registrar()
	return Registrar{
		r.EnableDHCPServer, r.DefaultEndpointExpiration, r.MinEndpointExpiration, r.MaxEndpointExpiration, r.MaxEndpointsPerUser,
	}, nil
}

func (s *Server) patchRegistrar(r *http.Request) (any, error) {
	var c RegistrarChange
	if err := read(r, &c); err != nil {
		return nil, err
	}
	var refused error
	err := s.pool.ChangeRegistrar(func(now *configs.Registrar) {
		set(&now.EnableDHCPServer, c.EnableDHCPServer)
		set(&now.DefaultEndpointExpiration, c.DefaultEndpointExpiration)
		set(&now.MinEndpointExpiration, c.MinEndpointExpiration)
		set(&now.MaxEndpointExpiration, c.MaxEndpointExpiration)
		set(&now.MaxEndpointsPerUser, c.MaxEndpointsPerUser)
		refused = now.Check()
	})
	if refused != nil {
		return nil, problem(http.StatusUnprocessableEntity, CodeInvalid, "%v", refused)
	}
	if err != nil {
		return nil, err
	}
	return s.getRegistrar(r)
}

func (s *Server) getWebServices(*http.Request) (any, error) {
	w := s.pool.WebServices()
	return WebServices{w.UsePINAuth, w.UseCertificateAuth, w.WindowsAuth != windowsOff, w.EnableCertChainDownload}, nil
}

const windowsOff = "off"

// windowsAuth is how Windows authentication is done: as the lab does it, by NTLM if the lab began with it off.
func (s *Server) windowsAuth(on bool) string {
	if !on {
		return windowsOff
	}
	if how := s.pool.Lab().WebServices.WindowsAuth; how != windowsOff {
		return how
	}
	return "ntlm"
}

func (s *Server) patchWebServices(r *http.Request) (any, error) {
	var c WebServicesChange
	if err := read(r, &c); err != nil {
		return nil, err
	}
	err := s.pool.ChangeWebServices(func(now *configs.WebServices) {
		set(&now.UsePINAuth, c.UsePinAuth)
		set(&now.UseCertificateAuth, c.UseCertificateAuth)
		if on := c.UseWindowsAuth; on != nil {
			now.WindowsAuth = s.windowsAuth(*on)
		}
		set(&now.EnableCertChainDownload, c.EnableCertChainDownload)
	})
	if err != nil {
		return nil, err
	}
	return s.getWebServices(r)
}
