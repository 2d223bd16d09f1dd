package settings

// parserSettings are about what of HTTP is accepted.
var parserSettings = []Setting{
	{
		Name: "limit_request_line", Flag: "limit-request-line", Metavar: "BYTES", Group: Gateway, Kind: Bytes,
		Default: "4094", Min: 0, Max: 65536,
		Help:  "Refuse a longer request line with 414; 0 for no limit but that of the whole head",
		Note:  "Gunicorn takes more than 8190 for 8190. See also `limit_request_head`.",
		Since: "0.1.0",
	},
	{
		Name: "limit_request_fields", Flag: "limit-request-fields", Metavar: "N", Group: Gateway, Kind: Int,
		Default: "100", Min: 0, Max: 32768,
		Help:  "Refuse a request with more header fields with 431; 0 for no limit but that of the whole head",
		Since: "0.1.0",
	},
	{
		Name: "limit_request_field_size", Flag: "limit-request-field_size", Metavar: "BYTES", Group: Gateway, Kind: Bytes,
		Default: "8190", Min: 0, Max: 65536,
		Help:  "Refuse a longer header field with 431; 0 for no limit but that of the whole head",
		Since: "0.1.0",
	},
	{
		Name: "limit_request_head", Flag: "limit-request-head", Metavar: "BYTES", Group: Gateway, Kind: Bytes,
		Default: "64KiB", Min: 1024, Max: 65536,
		Help:  "Refuse a request whose line and header fields together are longer with 431",
		Note:  "Gunicorn has no such setting; the product of its three others is its limit.",
		Since: "0.1.0",
	},
	{
		Name: "permit_unconventional_http_method", Flag: "permit-unconventional-http-method", Group: Gateway, Kind: Bool,
		Default: "false",
		Help:    "Accept every token as a method: lower case, one letter, #",
		Note:    "Without it a method has 3 to 20 characters, capitals among its letters only. For closed networks with a known, odd client only.",
		Since:   "0.1.0",
	},
	{
		Name: "permit_unconventional_http_version", Flag: "permit-unconventional-http-version", Group: Gateway, Kind: Bool,
		Default: "false",
		Help:    "Accept versions other than HTTP/1.0 to HTTP/1.9",
		Note:    "What is older is served as 1.0, what is newer as 1.1. For closed networks with a known, odd client only.",
		Since:   "0.1.0",
	},
	{
		Name: "casefold_http_method", Flag: "casefold-http-method", Group: Gateway, Kind: Bool,
		Default: "false",
		Help:    "Make methods upper case",
		Note:    "It matters only with `permit_unconventional_http_method`. For closed networks with a known, odd client only.",
		Since:   "0.1.0",
	},
	{
		Name: "strip_header_spaces", Flag: "strip-header-spaces", Group: Gateway, Kind: Bool,
		Default: "false",
		Help:    "Take off blanks between the name of a header field and its colon",
		Note:    "RFC 9112 section 5.1 demands a refusal, because servers in front may read such a field differently. For closed networks with a known, odd client only.",
		Since:   "0.1.0",
	},
	{
		Name: "permit_obsolete_folding", Flag: "permit-obsolete-folding", Group: Gateway, Kind: Bool,
		Default: "false",
		Help:    "Join header fields that are folded over several lines",
		Note:    "Host, Content-Length and Transfer-Encoding may not be folded even so. For closed networks with a known, odd client only.",
		Since:   "0.1.0",
	},
}
