//go:build !race

package replay_test

var (
	replayedWhole = []string{
		"administration-while-signed-in", "after-a-migration", "certificate-revoked-before-renewal", "chain-with-intermediate", "clock-three-years-ahead",
		"csr-too-small", "director-redirects", "family-common-area", "password-on-a-tanjay", "phone-locks-by-itself", "pin-lockout-and-unlock", "registrar-of-2010",
		"signed-out-unregistered", "vlan-by-dhcp", "vlan-none", "warm-boot-enterprise-pool", "fault-enroll-slow", "fault-web-timeout",
	}
	servedWrong = []string{
		"fault-address-nak", "fault-chain-empty", "fault-chain-off", "fault-discovery-option120-text", "fault-discovery-option43-truncated", "fault-discovery-silent",
		"fault-dns-no-srv", "fault-enroll-csr-refused", "fault-enroll-http-404", "fault-link-silent", "fault-provision-405", "fault-provision-garbage",
		"fault-ready-association-lost", "fault-register-403", "fault-register-certificate-refused", "fault-register-no-tls-dsk", "fault-register-redirect-loop",
		"fault-ticket-pin-locked", "fault-ticket-timeout", "fault-update-garbage", "fault-web-http-500",
	}
)
