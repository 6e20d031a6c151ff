/** What of a page is seen, and what is about to be. */
export const near = sight('100%')
export const seen = sight()

/** Resolves when it comes into view, or so near to it. What the page removes before is not held for it. */
function sight(rootMargin?: string): (element: Element) => Promise<void> {
  const waiting = new WeakMap<Element, () => void>()
  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue
      observer.unobserve(target)
      waiting.get(target)!()
    }
  }, { rootMargin })
  return (element) => new Promise((resolve) => {
    waiting.set(element, resolve)
    observer.observe(element)
  })
}

export function inView(element: Element): boolean {
  const { top, left, bottom, right } = element.getBoundingClientRect()
  return bottom >= 0 && right >= 0 && top <= innerHeight && left <= innerWidth && !!(bottom || right)
}
