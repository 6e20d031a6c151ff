//go:build !cgo || disable_libutp

package peer

// haveUTP: what the engine takes for uTP (BEP 29) without a C compiler leaves goroutines behind, and no two meet by it
// behind their routers.
const haveUTP = false
