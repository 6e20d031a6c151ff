//go:build cgo && !disable_libutp

package peer

/*
#ifdef NDEBUG
enum { asserts = 0 };
#else
enum { asserts = 1 };
#endif
*/
import "C"

// haveUTP: the engine's uTP (BEP 29) is libutp, in C. With its asserts compiled in, one packet with an unlikely timestamp
// ends the program; so it is there only if they are not, as with make.
const haveUTP = C.asserts == 0
