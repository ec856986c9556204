package updates

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/deviceupdate"
)

func escape(segment string) string { return url.PathEscape(segment) }

// image gives the file at MODEL/VERSION/CPE.nbt: the lab's text image of that model and version.
func (s *Service) image(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		s.refuse(w, r, checkMethod, "%.20q", r.Method)
		return
	}
	image, err := imageAt(r.URL.EscapedPath())
	if err != nil {
		s.refuse(w, r, checkPath, "image: %v", err)
		return
	}
	body, err := image.Append(nil)
	if err != nil {
		s.refuse(w, r, checkPath, "%v", err)
		return
	}
	s.note(timeline.Received, r, "image %.40q %.40q", image.Model, image.Version)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Write(body) // fails when the handset is gone
}

// imageAt takes model and version from the path, in which a model may have an escaped slash.
func imageAt(escaped string) (deviceupdate.Image, error) {
	parts := strings.Split(escaped, "/")
	if len(parts) != strings.Count(pathFiles, "/")+3 {
		return deviceupdate.Image{}, fmt.Errorf("path %.80q", escaped)
	}
	names := parts[len(parts)-3:]
	for i, part := range names {
		name, err := url.PathUnescape(part)
		if err != nil {
			return deviceupdate.Image{}, fmt.Errorf("path %.80q", escaped)
		}
		names[i] = name
	}
	if !strings.EqualFold(names[2], fileName) {
		return deviceupdate.Image{}, fmt.Errorf("file %.80q", names[2])
	}
	return deviceupdate.Image{Model: names[0], Version: names[1]}, nil
}
