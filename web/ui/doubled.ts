const pressable = 'label, button, a, input, select, summary, textarea'

/**
 * Many people double-click. What has come under the pointer since the first click (Stop in the place of Record, the next row's
 * Delete, what a message lay on) is not what the second one was meant for, and does not get it. For the whole page, for good.
 */
export function firstClickOnly(): void {
  let first: Element | undefined
  const heed = (event: MouseEvent) => {
    const { target } = event
    if (!(target instanceof Element)) return
    const on = target.closest(pressable) ?? target
    // Keys click with 0.
    if (event.detail < 2) first = on
    else if (on !== first) {
      event.preventDefault()
      event.stopImmediatePropagation()
    }
  }
  addEventListener('click', heed, { capture: true })
}
