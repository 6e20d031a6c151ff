/** What the pages around the plots have in common: numbers in tiles, buttons for the stretch of time, asking again. */
import { make } from './plot.ts'

export function tiles(into: Element, list: [name: string, value: string][]): void {
  into.replaceChildren(...list.map(([name, value]) => {
    const tile = make('div')
    tile.append(make('dt', name), make('dd', value))
    return tile
  }))
}

/** Buttons of which one is pressed. */
export function choice(buttons: Iterable<HTMLButtonElement>, chosen: (button: HTMLButtonElement) => void): void {
  const all = [...buttons]
  for (const button of all) {
    button.addEventListener('click', () => {
      for (const other of all) other.ariaPressed = String(other === button)
      chosen(button)
    })
  }
}

/** Asks for figures every few seconds while the page is seen, and says where that fails. */
export function follow<T>(url: string, headers: Record<string, string>, every: number, say: Element, show: (figures: T) => void): void {
  async function ask(): Promise<void> {
    if (document.hidden) return
    let problem = ''
    try {
      const response = await fetch(url, { headers, cache: 'no-store' })
      if (!response.ok) throw new Error(await response.text())
      show((await response.json()) as T)
    } catch (error) {
      problem = error instanceof TypeError ? 'The server does not answer. Trying again.' : (error as Error).message
    }
    // Said once, not every few seconds, to those who hear it.
    if (say.textContent !== problem) say.textContent = problem
  }
  const again = async () => {
    await ask()
    setTimeout(() => void again(), every)
  }
  document.addEventListener('visibilitychange', () => void ask())
  void again()
}
