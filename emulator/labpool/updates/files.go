package updates

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/deviceupdate"
)

func escape(segment string) string { return url.PathEscape(segment) }

// image gives the file at MODEL/VERSION/CPE.nbt: the lab's text image of that model and version.
func (s *Service) image(w http.ResponseWriter, r *http.Request, path string) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		s.refuse(w, r, checkMethod, "%s", r.Method)
		return
	}
	parts := strings.Split(path, "/")
	if len(parts) != 3 || !strings.EqualFold(parts[2], fileName) {
		s.refuse(w, r, checkPath, "image %.80q", path)
		return
	}
	image, err := deviceupdate.Image{Model: parts[0], Version: parts[1]}.Append(nil)
	if err != nil {
		s.refuse(w, r, checkPath, "%v", err)
		return
	}
	s.note(timeline.Received, r, "image %.40s %.40s", parts[0], parts[1])
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Write(image) // fails when the handset is gone
}
