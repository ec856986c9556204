package secret_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/secret"
)

func TestValueIsMaskedEverywhere(t *testing.T) {
	v := secret.New("0712")
	holder := struct{ PIN secret.Value }{v}
	marshalled, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		fmt.Sprint(v), fmt.Sprintf("%s %v %+v %#v %q %x %d", v, v, v, v, v, v, v),
		fmt.Sprintf("%v %+v %#v", holder, holder, &holder), string(marshalled),
		fmt.Errorf("refused %w", fmt.Errorf("%v", v)).Error(),
	} {
		if strings.Contains(printed, "0712") || strings.Contains(printed, "30373132") {
			t.Errorf("secret printed: %s", printed)
		}
		if !strings.Contains(printed, "***") {
			t.Errorf("no mask in %s", printed)
		}
	}
	if v.Reveal() != "0712" || v.IsZero() || !v.Equal(secret.New("0712")) || v.Equal(secret.New("0713")) {
		t.Error("the value itself is wrong")
	}
}
