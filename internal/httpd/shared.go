package httpd

import "net/http"

// shared is where other apps hand files to the installed one (share_target in the manifest). The service worker answers
// those, and none reaches this server unless there is no service worker yet. Then the page says that nothing was taken;
// the form is not read, but for the little that net/http throws away before it hangs up.
//
// The page itself it asks for here (web/sw/share-target.ts), since only servers see which site a request began at: it is for
// what the user shared, and not for a form that another site had their browser post.
func (files static) shared(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case r.Method == http.MethodPost:
		http.Redirect(w, r, "/files#not-ready", http.StatusSeeOther)
	case site == "cross-site" || site == "same-site":
		http.Redirect(w, r, "/files#nothing-shared", http.StatusSeeOther)
	default:
		get(files.page)(w, r)
	}
}
