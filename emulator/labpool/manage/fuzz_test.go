package manage

import (
	"encoding/json"
	"reflect"
	"testing"
)

// FuzzDecode: what is accepted as a body is written and read again as the same.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"pin":"860713"}`, `{"fault":"register=503:2","user":"1219"}`, `{"event":"presence","contentType":"text/xml","body":"<x/>"}`,
		`{"EnableDHCPServer":false,"MaxEndpointsPerUser":3}`, `{"UsePinAuth":true}`, `{"event":"rejected"}`, `{"pin":null}`, `[]`, `{"pin":0860713}`,
		`{"schema":"lpe.pool/1","managementUrl":"http://127.0.0.1:1","token":"x","addresses":[{"service":"https"}]}`,
	} {
		f.Add([]byte(seed))
	}
	kinds := []reflect.Type{
		reflect.TypeFor[NewPin](), reflect.TypeFor[SetFault](), reflect.TypeFor[Notify](), reflect.TypeFor[Deregister](),
		reflect.TypeFor[RegistrarChange](), reflect.TypeFor[WebServicesChange](), reflect.TypeFor[readyFile](),
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, kind := range kinds {
			first, again := reflect.New(kind), reflect.New(kind)
			if decode(text, first.Interface()) != nil {
				continue
			}
			written, err := json.Marshal(first.Interface())
			if err != nil {
				t.Fatal(err)
			}
			if err := decode(written, again.Interface()); err != nil || !reflect.DeepEqual(first.Interface(), again.Interface()) {
				t.Errorf("%s: %q is %+v, written %s, which is %+v, %v", kind, text, first, written, again, err)
			}
		}
	})
}
