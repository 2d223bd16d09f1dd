// Package static serves files below URL prefixes, as an [net/http.Handler].
//
// # Who owns what
//
// A [Site] owns one open directory for each of its mounts and may be used by
// any number of goroutines. It starts none: its owner calls [Site.Refresh] now
// and then, so that a directory that was replaced (a symbolic link set to the
// next release) is followed.
//
// # What is promised
//
//   - Nothing outside of a mount's directory is opened, whatever the path says
//     and wherever symbolic links point: the kernel resolves names beneath an
//     open directory (os.Root). Links within the directory are followed if they
//     are relative.
//   - Names that begin with a dot are as good as missing, unless asked for.
//   - Only regular files are read; a FIFO in the directory blocks nobody.
//   - A response is the file, a part of it, or the file in a content coding that
//     lies beside it; never a listing.
//
// # What is not done here
//
// Nothing is compressed, logged or kept in memory. Bodies of refusals are the
// owner's business ([Config.Refuse]).
package static
