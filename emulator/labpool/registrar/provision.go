package registrar

import (
	"strconv"

	"github.com/phone-edition/lpe/protocol/provisioning"
)

// provision makes the groups asked for out of the lab's configuration. Names and shapes are those of sip.md §5.3; a
// group that this lab has nothing for is left out.
func (s *Server) provision(id identity, request provisioning.GroupRequest) provisioning.Groups {
	var out provisioning.Groups
	asked := map[string]bool{}
	for _, name := range request.Groups {
		properties := s.group(name, id)
		if properties == nil || asked[name] {
			continue
		}
		asked[name] = true
		out.Groups = append(out.Groups, provisioning.Group{Name: name, Properties: properties})
	}
	return out
}

func (s *Server) group(name string, id identity) []provisioning.Property {
	switch name {
	case provisioning.ServerConfiguration:
		return s.serverConfiguration(id).Properties()
	case "endpointConfiguration":
		return []provisioning.Property{{Name: "EnableExchangeContactSync", Value: "false"}}
	case "ucPolicy":
		return []provisioning.Property{{Name: "EnableHotdesking", Value: "false"}}
	case "locationPolicy":
		return []provisioning.Property{{Name: "EnhancedEmergencyServicesEnabled", Value: "false"}}
	case "mediaConfiguration":
		return []provisioning.Property{{Name: "bypassEnabled", Value: "false"}}
	}
	return nil
}

// serverConfiguration is Set-CsUCPhoneConfiguration and the pool's URLs ([MS-SIPREGE] 4.2.2; handset.md §4).
func (s *Server) serverConfiguration(id identity) provisioning.Configuration {
	lab, web := s.cfg.Lab, s.cfg.Web
	c := provisioning.Configuration{
		EnforcePINLock: lab.Phone.EnforcePhoneLock,
		MinPINLength:   lab.Phone.MinPhonePinLength,
		PhoneTimeout:   lab.Phone.PhoneLockTimeout,
		CalendarPoll:   lab.Phone.CalendarPollInterval,
		SecurityMode:   lab.Phone.SIPSecurityMode,
		Voice8021p:     lab.Phone.Voice8021p,
		VoiceDiffServ:  lab.Phone.VoiceDiffServTag,
		LoggingLevel:   lab.Phone.LoggingLevel,
		UpdatesEnabled: lab.Updates.Enabled,
	}
	if lab.Updates.Enabled {
		c.UpdatesInternalURL = web + "/RequestHandler/ucdevice.upx"
		c.UpdatesExternalURL = web + "/RequestHandlerExt/ucdevice.upx"
	}
	for _, p := range [][2]string{
		{"absInternalServerUrl", web + "/abs/handler"},
		{"absWebServiceEnabled", strconv.FormatBool(false)},
		{"dlxInternalUrl", web + "/groupexpansion/service.svc"},
		{"lisInternalUrl", web + "/locationinformation/liservice.svc"},
		{"voicemailUri", id.aor + ";opaque=app:voicemail"},
		{"qosEnabled", strconv.FormatBool(false)},
		{"ucPC2PCAVEncryption", "SupportEncryption"},
	} {
		c.Unknown = append(c.Unknown, provisioning.Property{Name: p[0], Value: p[1]})
	}
	return c
}

// self is roaming-self: what the user has published, and his line in userProperties (sip.md §5.3.1).
func (s *Server) self(id identity) provisioning.Self {
	self := provisioning.Self{URI: id.aor, Categories: s.endpoints.categories(id.aor, nil)}
	user, ok := s.cfg.Directory.BySIP(id.aor)
	if ok && user.LineURI != "" {
		self.Categories = append(self.Categories, provisioning.Category{
			Name: "userProperties", Container: 1, Version: 1, Lines: []provisioning.Line{{Type: "Uc", URI: user.LineURI}},
		})
	}
	return self
}
