package tlsdsk

import "strings"

// Fields are the parts of the signature input (sip.md §3.1). Status is empty in requests.
type Fields struct {
	Protocol, Rand, Num, Realm, TargetName, CallID, CSeqNum, CSeqMethod string
	FromURI, FromTag, ToURI, ToTag, PAISip, PAITel, Expires, Status     string
}

// Input is the text that is signed: every value in angle brackets. Version 2 has neither To URI nor asserted identities.
func Input(version int, f Fields) string {
	values := []string{f.Protocol, f.Rand, f.Num, f.Realm, f.TargetName, f.CallID, f.CSeqNum, f.CSeqMethod, f.FromURI, f.FromTag}
	if version > 2 {
		values = append(values, f.ToURI, f.ToTag, f.PAISip, f.PAITel)
	} else {
		values = append(values, f.ToTag)
	}
	values = append(values, f.Expires)
	if f.Status != "" {
		values = append(values, f.Status)
	}
	return "<" + strings.Join(values, "><") + ">"
}
