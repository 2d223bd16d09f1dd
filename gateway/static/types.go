package static

import (
	"path"
	"strings"
)

// contentType is the media type of a file by the extension of its name. The
// table is built in: a service must not answer otherwise on a machine with
// another /etc/mime.types.
func contentType(name string) string {
	if kind, ok := types[strings.ToLower(path.Ext(name))]; ok {
		return kind
	}
	return "application/octet-stream"
}

// compresses reports whether files of a type are worth compressing: only then
// variants are looked for beside them.
func compresses(kind string) bool {
	kind, _, _ = strings.Cut(kind, ";")
	switch kind {
	case "application/json", "application/xml", "application/wasm", "application/vnd.ms-fontobject", "application/rtf",
		"application/x-ndjson", "application/sql", "application/yaml", "application/toml", "font/ttf", "font/otf", "font/collection",
		"image/bmp", "image/x-icon", "model/gltf-binary", "model/obj", "model/stl", "application/octet-stream", "application/pdf":
		return true
	}
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml")
}

const utf8 = "; charset=utf-8"

// types is the table, by extension. Text is taken to be UTF-8.
var types = map[string]string{
	// Pages, and what they are made of.
	".html": "text/html" + utf8, ".htm": "text/html" + utf8, ".xhtml": "application/xhtml+xml",
	".css": "text/css" + utf8, ".js": "text/javascript" + utf8, ".mjs": "text/javascript" + utf8, ".cjs": "text/javascript" + utf8,
	".map": "application/json", ".json": "application/json", ".jsonld": "application/ld+json", ".geojson": "application/geo+json",
	".topojson": "application/json", ".ndjson": "application/x-ndjson", ".wasm": "application/wasm",
	".webmanifest": "application/manifest+json", ".appcache": "text/cache-manifest" + utf8,

	// Text and documents.
	".txt": "text/plain" + utf8, ".text": "text/plain" + utf8, ".log": "text/plain" + utf8, ".md": "text/markdown" + utf8,
	".csv": "text/csv" + utf8, ".tsv": "text/tab-separated-values" + utf8, ".ics": "text/calendar" + utf8, ".vcf": "text/vcard" + utf8,
	".vtt": "text/vtt" + utf8, ".xml": "application/xml", ".xsl": "application/xslt+xml", ".xsd": "application/xml",
	".rss": "application/rss+xml", ".atom": "application/atom+xml", ".yaml": "application/yaml", ".yml": "application/yaml", ".toml": "application/toml",
	".sql": "application/sql", ".rtf": "application/rtf", ".pdf": "application/pdf", ".epub": "application/epub+zip", ".ps": "application/postscript",
	".asc": "application/pgp-signature", ".sig": "application/pgp-signature",
	".doc": "application/msword", ".xls": "application/vnd.ms-excel", ".ppt": "application/vnd.ms-powerpoint",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".odt":  "application/vnd.oasis.opendocument.text", ".ods": "application/vnd.oasis.opendocument.spreadsheet",
	".odp": "application/vnd.oasis.opendocument.presentation",

	// Pictures and fonts.
	".png": "image/png", ".apng": "image/apng", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
	".avif": "image/avif", ".jxl": "image/jxl", ".heic": "image/heic", ".heif": "image/heif", ".svg": "image/svg+xml", ".ico": "image/x-icon", ".cur": "image/x-icon",
	".bmp": "image/bmp", ".tif": "image/tiff", ".tiff": "image/tiff",
	".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf", ".ttc": "font/collection", ".eot": "application/vnd.ms-fontobject",

	// Sound, film and models.
	".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".aac": "audio/aac", ".oga": "audio/ogg", ".ogg": "audio/ogg", ".opus": "audio/ogg",
	".flac": "audio/flac", ".wav": "audio/wav", ".weba": "audio/webm", ".mid": "audio/midi", ".midi": "audio/midi",
	".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".webm": "video/webm", ".ogv": "video/ogg", ".avi": "video/x-msvideo", ".mkv": "video/matroska",
	".ts": "video/mp2t", ".m3u8": "application/vnd.apple.mpegurl", ".mpd": "application/dash+xml",
	".glb": "model/gltf-binary", ".gltf": "model/gltf+json", ".obj": "model/obj", ".stl": "model/stl",

	// Archives and programs.
	".zip": "application/zip", ".gz": "application/gzip", ".tgz": "application/gzip", ".bz2": "application/x-bzip2", ".xz": "application/x-xz",
	".zst": "application/zstd", ".7z": "application/x-7z-compressed", ".tar": "application/x-tar", ".rar": "application/vnd.rar",
	".jar": "application/java-archive", ".apk": "application/vnd.android.package-archive", ".deb": "application/vnd.debian.binary-package",
	".rpm": "application/x-rpm", ".whl": "application/zip", ".dmg": "application/x-apple-diskimage", ".iso": "application/x-iso9660-image",
	".bin": "application/octet-stream", ".exe": "application/octet-stream",
}
