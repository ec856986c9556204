package handset

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/protocol/deviceupdate"
)

const updatePath = "/RequestHandler/ucdevice.upx"

// offeredImage is an image that the device update service offers, and the profile in it once downloaded.
type offeredImage struct {
	deviceupdate.Update
	profile string
}

func loadProfile(name string) (*configs.Profile, error) { return configs.LoadProfile(name) }

// updateLookup asks the device update service before anybody is signed in: SRV for Lync SIP gives the domain, then
// ucupdates-r2 of it (handset.md §5.1 items 3 and 4). Whatever fails, the boot goes on.
func (h *Handset) updateLookup(ctx context.Context) (devicestate.Event, *Failure) {
	domain := h.updateDomain(ctx)
	if domain == "" {
		h.note("no domain is known: no update query")
		h.skipped = true
		return devicestate.UpdateAnswered, nil
	}
	host := h.profile.UpdateName + "." + domain
	if _, err := h.lookupHost(ctx, host); err != nil {
		h.note("no update query: %v", err)
		h.skipped = true
		return devicestate.UpdateAnswered, nil
	}
	var check *trust
	if len(h.anchors()) > 0 {
		check = h.trustNow(false)
	} else {
		h.note("the update server's certificate is not checked: no root is held (inferred)")
	}
	return h.queryUpdates(ctx, "https://"+host+":443"+updatePath, check, nil)
}

func (h *Handset) updateDomain(ctx context.Context) string {
	if h.profile.UpdateDomain == "dhcp" {
		return h.ram.lease.domain
	}
	domain := h.sipDomain()
	if domain == "" {
		return ""
	}
	services, err := h.lookupService(ctx, "_sipinternaltls._tcp."+domain)
	if err != nil {
		h.note("no SRV record for Lync SIP: %v", err)
		return domain
	}
	_, parsed, _ := strings.Cut(services[0].target, ".")
	return parsed
}

// updateCheck repeats the query as the signed-in user, with the URL of in-band provisioning (handset.md §3.2).
func (h *Handset) updateCheck(ctx context.Context) (devicestate.Event, *Failure) {
	if h.machine.Reconnecting && time.Now().Before(h.ram.updateDue) { // no sign-in
		h.skipped = true
		return devicestate.UpdateAnswered, nil
	}
	h.ram.updateDue = time.Now().Add(h.profile.UpdateInterval)
	if h.flash.UpdateURL == "" {
		h.note("provisioning gave no update URL")
		h.skipped = true
		return devicestate.UpdateAnswered, nil
	}
	client, err := h.clientCertificate()
	if err != nil {
		h.note("no update query: %v", err)
		return devicestate.UpdateAnswered, nil
	}
	return h.queryUpdates(ctx, h.flash.UpdateURL, h.trustNow(false), client)
}

func (h *Handset) queryUpdates(ctx context.Context, where string, check *trust, client *tls.Certificate) (devicestate.Event, *Failure) {
	mac := strings.ToUpper(strings.ReplaceAll(h.mac().String(), ":", "-"))
	body, err := deviceupdate.Request{
		DeviceType: h.profile.UpdateDeviceType, MACAddress: mac, Vendor: h.profile.Vendor, Brand: h.profile.Vendor, Model: h.profile.Model,
		Revision: h.profile.Revision, Locale: h.profile.Locale,
		Modules: []deviceupdate.Module{{FileName: h.profile.UpdateModule, Version: h.profile.Firmware}},
	}.Append(nil)
	if err != nil {
		h.note("no update query: %v", err)
		return devicestate.UpdateAnswered, nil
	}
	r := webRequest{stage: devicestate.StageUpdate, doing: "asking for updates", url: where, body: body, trust: check, client: client, unshared: true}
	answer, failure := h.exchange(ctx, r)
	if failure == nil && answer.Status == 403 {
		h.note("the update service denies anonymous access")
		return devicestate.UpdateAnswered, nil
	}
	if failure == nil {
		failure = wantStatus(r.stage, answer, r.doing)
	}
	if failure != nil {
		if ctx.Err() == nil {
			h.warn(failure)
		}
		return devicestate.UpdateAnswered, nil
	}
	response, err := deviceupdate.ParseResponse(answer.Body)
	if err != nil {
		h.warn(fail(r.stage, "garbage", answer.peer, "the update service's answer cannot be read", err))
		return devicestate.UpdateAnswered, nil
	}
	for _, update := range response.Updates {
		if update.Version != h.profile.Firmware {
			h.note("update %s offered", update.Version)
			h.ram.image = &offeredImage{Update: update}
			return devicestate.ImageOffered, nil
		}
	}
	return devicestate.UpdateAnswered, nil
}

// updating downloads the image over plain http and finds the profile it stands for; the old image is kept
// (handset.md §3.2 item 4; the image's form is the lab's).
func (h *Handset) updating(ctx context.Context) (devicestate.Event, *Failure) {
	failure := h.download(ctx)
	if failure != nil {
		h.warn(failure)
		return devicestate.ImageRejected, nil
	}
	return devicestate.ImageStored, nil
}

func (h *Handset) download(ctx context.Context) *Failure {
	image := h.ram.image
	r := webRequest{stage: devicestate.StageUpdate, doing: "downloading the image", url: image.URI, unshared: true}
	if u, err := url.Parse(image.URI); err == nil && u.Scheme == "https" {
		r.trust = h.trustNow(false)
	}
	answer, failure := h.exchange(ctx, r)
	if failure != nil {
		return failure
	}
	if failure := wantStatus(r.stage, answer, r.doing); failure != nil {
		return failure
	}
	if err := image.Verify(answer.Body); err != nil {
		return fail(r.stage, "garbage", answer.peer, "the image is damaged", err)
	}
	content, err := deviceupdate.ParseImage(answer.Body)
	if err != nil {
		return fail(r.stage, "unknown-image", answer.peer, "the image cannot be read", err)
	}
	family, _, _ := strings.Cut(h.profile.Name, "-")
	image.profile = strings.ToLower(fmt.Sprintf("%s-%s-%s", family, content.Model, content.Version))
	if _, err := loadProfile(image.profile); err != nil || !strings.EqualFold(content.Model, h.profile.Model) {
		return fail(r.stage, "unknown-image", answer.peer, fmt.Sprintf("the image is for %s %s, which is no known profile", content.Model, content.Version), err)
	}
	return nil
}
