// Package mimetypes tells what a file is by its name, the same on every machine. Systems have tables of their own, which
// have other names for some types, or none at all, as in containers; they are asked for what is not here.
package mimetypes

import (
	"mime"
	"path"
	"strings"
)

// What the engine of pages knows too is the same there: typeOf in web/engine/swarm/content.ts.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".json": "application/json",
	".txt": "text/plain; charset=utf-8", ".md": "text/markdown; charset=utf-8", ".csv": "text/csv; charset=utf-8", ".vtt": "text/vtt; charset=utf-8",
	".gif": "image/gif", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png",
	".svg": "image/svg+xml", ".webp": "image/webp", ".avif": "image/avif", ".ico": "image/x-icon", ".jxl": "image/jxl",
	".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf",
	".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".ogv": "video/ogg", ".mov": "video/quicktime", ".mkv": "video/x-matroska",
	".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".ogg": "audio/ogg", ".oga": "audio/ogg", ".opus": "audio/ogg", ".wav": "audio/wav", ".flac": "audio/flac",
	".aac": "audio/aac", ".weba": "audio/webm",
	".pdf": "application/pdf", ".zip": "application/zip", ".gz": "application/gzip", ".epub": "application/epub+zip",
	".tar": "application/x-tar", ".7z": "application/x-7z-compressed", ".xz": "application/x-xz", ".zst": "application/zstd",
	".iso": "application/x-iso9660-image", ".jar": "application/java-archive",
	".deb": "application/vnd.debian.binary-package", ".apk": "application/vnd.android.package-archive",
	".webmanifest": "application/manifest+json", ".wasm": "application/wasm",
}

// Of returns "" where nobody knows. Types of text have a charset.
func Of(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if t := types[ext]; t != "" {
		return t
	}
	return mime.TypeByExtension(ext)
}
