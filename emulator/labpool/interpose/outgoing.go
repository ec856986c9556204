package interpose

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/phone-edition/lpe/protocol/httpmessage"
	"github.com/phone-edition/lpe/protocol/lldp"
	"github.com/phone-edition/lpe/protocol/soap"
)

// Outgoing changes what the pool is about to send, for one that is to say what another one has said. It is told each request
// when it comes, and returns what changes the answers to it. All may be called from several goroutines. What cannot be changed
// stays as it is; what is not to be sent is nil or false. The nil Outgoing changes nothing.
type Outgoing interface {
	LLDP(unit *lldp.PDU) bool
	DHCP(server string, request []byte) Change
	DNS(request []byte) Change
	NTP(request []byte) Change
	HTTP(request httpmessage.Request) func(answer *httpmessage.Response) bool
}

// Change changes an answer.
type Change func(answer []byte) []byte

// changedFrame is the frame with its data unit as out changes it, nil if it is not to be sent; unit is what is sent then.
func changedFrame(out Outgoing, frame []byte, unit *lldp.PDU) []byte {
	if out == nil {
		return frame
	}
	changed := lldp.PDU{ChassisID: unit.ChassisID, PortID: unit.PortID, TTL: unit.TTL, TLVs: slices.Clone(unit.TLVs)}
	if !out.LLDP(&changed) {
		return nil
	}
	whole, err := changed.Append(bytes.Clone(frame[:etherLen]))
	if err != nil {
		return frame
	}
	*unit = changed
	return whole
}

// maxRequests bounds the requests that are kept until they are answered.
const maxRequests = 64

// requests are datagrams that wait for their answers, by what tells whose they are.
type requests struct {
	mu   sync.Mutex
	list []request
}

type request struct {
	key    string
	change Change
}

func (r *requests) keep(key string, c Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = slices.DeleteFunc(r.list, func(one request) bool { return one.key == key })
	if len(r.list) == maxRequests {
		r.list = r.list[1:]
	}
	r.list = append(r.list, request{key, c})
}

// changed is an answer to what was kept last with that key.
func (r *requests) changed(key string, answer []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.list {
		if one.key == key {
			return one.change(answer)
		}
	}
	return answer
}

// answers changes the HTTP answers of a connection. Whatever else is said on it passes as it is. The nil answers change
// nothing.
type answers struct {
	out Outgoing

	mu      sync.Mutex
	came    []byte // what is no whole request yet
	asked   []func(*httpmessage.Response) bool
	waiting []byte // what is no whole answer yet
	deaf    bool   // it is no HTTP, or too long
}

func newAnswers(out Outgoing) *answers {
	if out == nil {
		return nil
	}
	return &answers{out: out}
}

// asks takes what the handset says. With an error that is none of time it has hung up: what is still written is no answer to
// anybody.
func (a *answers) asks(b []byte, err error) {
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		a.silence()
	}
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.deaf {
		return
	}
	a.came = append(a.came, b...)
	for len(a.came) > 0 {
		from := bytes.NewReader(a.came)
		buffered := bufio.NewReader(from)
		m, err := httpmessage.ReadRequest(buffered, soap.MaxSize)
		if unfinished(err) && len(a.came) <= maxMessage {
			return
		}
		if err != nil || len(a.asked) == maxRequests {
			a.deaf, a.came = true, nil
			return
		}
		a.asked = append(a.asked, a.out.HTTP(m))
		a.came = bytes.Clone(a.came[len(a.came)-from.Len()-buffered.Buffered():])
	}
}

// said takes what the pool says and returns what is to be sent now.
func (a *answers) said(b []byte) []byte {
	if a == nil {
		return b
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, b...)
	var out []byte
	for len(a.waiting) > 0 && len(a.asked) > 0 && !a.deaf {
		from := bytes.NewReader(a.waiting)
		buffered := bufio.NewReader(from)
		m, err := httpmessage.ReadResponse(buffered, soap.MaxSize)
		if (unfinished(err) || err == nil && !ends(m)) && len(a.waiting) <= maxMessage {
			return out // more of it comes, or it ends with the connection
		}
		if err != nil || len(a.waiting) > maxMessage {
			a.deaf = true
			break
		}
		n := len(a.waiting) - from.Len() - buffered.Buffered()
		out = append(out, a.changed(m, a.waiting[:n])...)
		a.waiting = bytes.Clone(a.waiting[n:])
	}
	return append(out, a.held()...)
}

// ends reports whether an answer says where it ends.
func ends(m httpmessage.Response) bool {
	bodyless := m.Status < 200 || m.Status == 204 || m.Status == 304
	return bodyless || m.Get("Content-Length") != "" || m.Get("Transfer-Encoding") != ""
}

// changed is one answer as it is to be sent, nil if it is not.
func (a *answers) changed(m httpmessage.Response, text []byte) []byte {
	const final = 200
	if m.Status < final { // 100 Continue, and the answer is still to come
		return text
	}
	change := a.asked[0]
	a.asked = a.asked[1:]
	if m.Get("Transfer-Encoding") != "" || m.Get("Content-Encoding") != "" {
		return text
	}
	if !change(&m) {
		return nil
	}
	out, err := m.Append(nil)
	if err != nil {
		return text
	}
	return out
}

func (a *answers) silence() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deaf, a.waiting = true, nil
}

// rest is what was kept back when the connection ends.
func (a *answers) rest() []byte {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.held()
}

func (a *answers) held() []byte {
	out := a.waiting
	a.waiting = nil
	return out
}

func unfinished(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) }
