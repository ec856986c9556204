package sipmessage

// Response builds the response to req: From, To, Call-ID, CSeq and every Via of it, in the order of real servers
// (sip.md §4.5), then the extra headers, then Content-Length: 0 if extra has none. toTag is added to To unless that
// has a tag or toTag is empty.
func Response(req *Message, status int, reason, toTag string, extra ...Header) *Message {
	m := &Message{Status: status, Reason: reason, Headers: make([]Header, 0, len(req.Headers)+len(extra)+1)}
	m.Add("From", req.Get("From"))
	to := req.Get("To")
	if a, err := ParseAddress(to); err == nil && a.Tag() == "" && toTag != "" {
		to += ";tag=" + toTag
	}
	m.Add("To", to)
	m.Add("Call-ID", req.CallID())
	m.Add("CSeq", req.Get("CSeq"))
	for _, via := range req.Values("Via") {
		m.Add("Via", via)
	}
	m.Headers = append(m.Headers, extra...)
	if m.Get("Content-Length") == "" {
		m.Add("Content-Length", "0")
	}
	return m
}
