package registrar_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// numbered sends a REGISTER that is signed right with the given cnum.
func (s *sipe) numbered(num int) outcome {
	s.Helper()
	return s.wrongNumber(strconv.Itoa(num))
}

func (s *sipe) taken(nums ...int) {
	s.Helper()
	for _, num := range nums {
		if got := s.numbered(num); got.String() != "200 OK" {
			s.Errorf("cnum %d: %s, want 200\n%s", num, got, s.log())
		}
	}
}

func (s *sipe) refused(nums ...int) {
	s.Helper()
	for _, num := range nums {
		if got := s.numbered(num); !errors.Is(got.err, errSilence) {
			s.Errorf("cnum %d: %s, want nothing\n%s", num, got, s.log())
		}
	}
}

// TestWindow is that of sip.md §1.6: the highest number and the 255 below it, each once, in any order.
func TestWindow(t *testing.T) {
	t.Run("out of order", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := signedOn(l) // cnum 1
			s.taken(10, 5, 7, 6, 2, 9)
			s.refused(5, 10, 1)
			s.taken(3, 11)
		})
	})
	t.Run("edge", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := signedOn(l)
			s.taken(300, 45)
			s.refused(44, 1)
			s.taken(301)
			s.refused(45)
			s.taken(46)
		})
	})
	t.Run("a leap forgets the window", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := signedOn(l)
			s.taken(100000)
			s.refused(2, 100000-256, 100000)
			s.taken(100000-255, 1<<32-1)
			s.refused(1<<32-1, 1<<32)
		})
	})
	t.Run("the first number begins it", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := l.connect(user1, sipeEPID)
			s.must(asError(s.associate()))
			s.taken(6)
			s.refused(5, 6, 0)
			s.taken(7)
		})
	})
	t.Run("a wrong signature uses up no number", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := signedOn(l)
			got := s.wrongAuthorization(func(p *tlsdsk.Params) { p.Response = strings.Repeat("0", len(p.Response)) })
			if got.String() != "401 Unauthorized, a fresh challenge" {
				t.Errorf("%s", got)
			}
			s.taken(2)
			got = s.wrongAuthorization(func(p *tlsdsk.Params) { p.CNum, p.Response = "2", strings.Repeat("0", len(p.Response)) })
			if !errors.Is(got.err, errSilence) {
				t.Errorf("%s, want nothing: the number was there", got)
			}
		})
	})
	t.Run("written otherwise", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := signedOn(l)
			for _, num := range []string{"", "02", "+2", "-2", "2.0", "0x2", " 2"} {
				if got := s.wrongNumber(num); !errors.Is(got.err, errSilence) {
					t.Errorf("cnum %q: %s, want nothing", num, got)
				}
			}
			s.taken(2)
		})
	})
}

// TestSignatureForms are the ways to write right parameters (sip.md §1.3).
func TestSignatureForms(t *testing.T) {
	for name, write := range map[string]func(tlsdsk.Params) (string, string){
		"sipe": func(p tlsdsk.Params) (string, string) { return "Authorization", tlsdsk.AuthorizationSigned(p) },
		"lower case": func(p tlsdsk.Params) (string, string) {
			p.Response = strings.ToLower(p.Response)
			return "Authorization", tlsdsk.AuthorizationSigned(p)
		},
		"for a proxy": func(p tlsdsk.Params) (string, string) { return "Proxy-Authorization", tlsdsk.AuthorizationSigned(p) },
		"Polycom VVX": func(p tlsdsk.Params) (string, string) {
			return "Authorization", `TLS-DSK qop="auth", realm="` + p.Realm + `", opaque="` + p.Opaque + `", crand="` + p.CRand + `", cnum="` + p.CNum +
				`", targetname="` + p.TargetName + `", response="` + p.Response + `"`
		},
		"no blanks": func(p tlsdsk.Params) (string, string) {
			return "Authorization", strings.ReplaceAll(tlsdsk.AuthorizationSigned(p), `", `, `",`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(l *lab) {
				s := signedOn(l)
				m := s.register()
				s.cnum++
				header, value := write(s.authorization(m, strconv.Itoa(int(s.cnum))))
				m.Add(header, value)
				if got := s.send(m); got.String() != "200 OK" {
					t.Errorf("%s\n%s", got, l.log())
				}
			})
		})
	}
}
