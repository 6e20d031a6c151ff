/** Whether a URL leads to the very machine that opens it: localhost, what ends in .localhost (RFC 6761), a loopback address. */
export function loopback(url: string): boolean {
  const name = new URL(url).hostname.replace(/\.$/, '')
  return name === 'localhost' || name.endsWith('.localhost') || /^127(\.\d+){3}$/.test(name) || name === '[::1]'
}
